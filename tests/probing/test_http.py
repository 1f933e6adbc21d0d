"""What nginx reports to probes becomes attempts at instances."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from stackctl.probing.http import Way, attempts_of, traffic


@pytest.mark.parametrize(
    ("upstream", "status", "attempts"),
    [
        ("10.0.0.1:80|200", 200, [("10.0.0.1:80", "")]),
        ("10.0.0.1:80|404", 404, [("10.0.0.1:80", "")]),
        ("10.0.0.1:80|500", 500, [("10.0.0.1:80", "status 500")]),
        (
            "10.0.0.1:80, 10.0.0.2:80|504, 200",
            200,
            [("10.0.0.1:80", "status 504 in the balancer's attempt"), ("10.0.0.2:80", "")],
        ),
        ("web|502", 502, [("", "status 502: the balancer has no live instance")]),
        ("", 503, [("", "status 503 from the balancer itself, no instance was asked")]),
        ("|", 200, [("", "status 200 from the balancer itself, no instance was asked")]),
        ("-|-", 404, [("", "status 404 from the balancer itself, no instance was asked")]),
    ],
)
def test_attempts(upstream: str, status: int, attempts: list[tuple[str, str]]) -> None:
    """Every instance that was tried is named, and no answer without an instance counts as one."""
    assert attempts_of(upstream, status) == attempts


@contextlib.contextmanager
def serving(body: Callable[[socket.socket], None]) -> Iterator[Way]:
    """A server for one connection, that says what a balancer would before `body`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError), listening.accept()[0] as accepted:
                accepted.recv(4096)
                accepted.sendall(b"HTTP/1.1 200 OK\r\nX-Stackctl-Upstream: 10.0.0.1:80|200\r\n")
                body(accepted)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Way("127.0.0.1", listening.getsockname()[1], "shop", "/")
        thread.join(5)


def test_a_stream_has_no_end() -> None:
    """An instance that goes on answering has answered; it is not listened to for longer than the timeout."""

    def stream(accepted: socket.socket) -> None:
        accepted.sendall(b"\r\n")
        while True:
            accepted.sendall(b"data: tick\n\n")
            time.sleep(0.02)

    with serving(stream) as way:
        asked = iter([True])
        met = traffic(way, "", expected=1, timeout=0.3, going=lambda: next(asked, False))
    assert (met.requests, met.answered) == (1, {"10.0.0.1:80": 1})


def test_an_answer_cut_short() -> None:
    """Half of what was promised is no answer."""

    def half(accepted: socket.socket) -> None:
        accepted.sendall(b"Content-Length: 10\r\n\r\nfive!")

    with serving(half) as way:
        asked = iter([True])
        met = traffic(way, "", expected=1, going=lambda: next(asked, False))
    assert met.errors == 1 and "IncompleteRead" in met.reasons[0]
