"""The samples live, backend and front as their users meet them: processes, real sockets."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time

import pytest

from bench.ports import free_port
from tests.images.apps import ended, read_all, started

HTTP = ("live", "backend", "front")
# What front asks; nobody listens there.
NOWHERE = {"BACKEND_URL": "http://127.0.0.1:1/"}


def test_live_says_its_name_and_address() -> None:
    """An HTML page with the instance's name, which can't break out of it, and the address that was reached."""
    with started("live", API_NAME="API1 <b>") as app:
        status, text = app.get("/any/path")
        assert status == 200 and "<h1>This is the live streaming API API1 &lt;b&gt; #IP:127.0.0.1</h1>" in text
        assert b"Content-Type: text/html; charset=utf-8" in app.raw(b"GET / HTTP/1.0\r\n\r\n")


def test_live_is_called_like_its_host() -> None:
    """Without API_NAME the host's name tells instances apart."""
    with started("live") as app:
        assert socket.gethostname() in app.get()[1]


def test_backend_says_its_version() -> None:
    """The line that clients know, v1.0.0 unless VERSION says another."""
    with started("backend") as app:
        assert app.get() == (200, "this is httpbackendservice, version: v1.0.0\n")
    with started("backend", VERSION="v2.0.0") as app:
        assert app.get() == (200, "this is httpbackendservice, version: v2.0.0\n")


def test_front_wraps_what_its_backend_says() -> None:
    """By name, anew for each request: a backend that comes later is found."""
    port = free_port()
    with started("front", BACKEND_URL=f"http://localhost:{port}/x") as front:
        assert front.get()[0] == 502
        with started("backend", PORT=str(port)):
            status, text = front.get()
        assert (status, text.splitlines()) == (
            200,
            [
                f"this is httpfrontservice at 127.0.0.1; http://localhost:{port}/x says:",
                "this is httpbackendservice, version: v1.0.0",
            ],
        )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "closed connection without response"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "status 503"),
        (b"nonsense\r\n\r\n", "nonsense"),
    ],
)
def test_front_tells_why_it_has_nothing(answer: bytes, reason: str) -> None:
    """502 with the reason for a backend that answers anything but a page."""
    with socket.create_server(("127.0.0.1", 0)) as backend:

        def serve() -> None:
            connection, _ = backend.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with started("front", BACKEND_URL=f"http://127.0.0.1:{backend.getsockname()[1]}") as front:
            status, text = front.get()
        thread.join(5)
        assert status == 502 and reason in text


def test_front_does_not_wait_for_ever() -> None:
    """A backend that accepts and says nothing is a 502 after BACKEND_TIMEOUT; the health check never waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as backend:
        url = f"http://127.0.0.1:{backend.getsockname()[1]}"
        with started("front", BACKEND_URL=url, BACKEND_TIMEOUT="1") as front:
            begun = time.monotonic()
            status, text = front.get()
            assert status == 502 and "timed out" in text and time.monotonic() - begun < 3
            assert front.get("/healthz") == (200, "ok\n")


@pytest.mark.parametrize("url", ["", "httpbackend:8081", "https://httpbackend/", "http://", "http://b:port/"])
def test_front_wants_a_url(url: str) -> None:
    """Without a URL that it can ask it ends at once, naming the variable."""
    done = ended("front", BACKEND_URL=url)
    assert done.returncode == 2 and "BACKEND_URL" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", HTTP)
def test_bad_port_ends_it_at_once(name: str) -> None:
    """Exit 2 and a line that names the variable."""
    done = ended(name, PORT="http", **NOWHERE)
    assert done.returncode == 2 and "PORT" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", HTTP)
def test_health(name: str) -> None:
    """Every sample has a health check that does not depend on others."""
    with started(name, **NOWHERE) as app:
        assert app.get("/healthz") == (200, "ok\n")


@pytest.mark.parametrize("name", HTTP)
def test_termination_answers_what_has_begun(name: str) -> None:
    """After SIGTERM a request that has begun is answered, the connection ends, and the exit code is 0."""
    with started(name, **NOWHERE) as app, app.connect() as busy:
        busy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert b"100 Continue" in busy.recv(65536)  # so it has begun
        app.process.send_signal(signal.SIGTERM)
        busy.sendall(b"ab")
        assert re.match(rb"HTTP/1.1 (200|502) ", read_all(busy))
        assert app.process.wait(5) == 0
