"""The sample app as its users meet it: a process, real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from tests.images.apps import App, ended, folder, read_all, started


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    """One whoami for the tests that leave it as it was."""
    with started("whoami") as running:
        yield running


def test_page_says_when_how_often_by_whom_and_of_whom(app: App) -> None:
    """The page carries time, count, caller, own address and host name; the count grows by one."""
    pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (\d+) requests from <LOCAL: 127\.0\.0\.1> to WebServer <127\.0\.0\.1>"
    counts = []
    for _ in range(2):
        status, text = app.get("/any/path")
        found = re.match(pattern, text)
        assert status == 200 and found and socket.gethostname() in text, text
        counts.append(int(found[1]))
    assert counts[1] == counts[0] + 1


def test_healthz_is_not_counted(app: App) -> None:
    """A health check gets its 200 and leaves the page's count alone."""
    before = int(app.get()[1].split(": ")[1].split()[0])
    assert app.get("/healthz") == (200, "ok\n")
    assert int(app.get()[1].split(": ")[1].split()[0]) == before + 1


def test_body_sizes_are_told(app: App) -> None:
    """Bodies with a length and in chunks, with extensions and trailers, are read to their end."""
    assert "with 100000 bytes" in app.get(method="POST", body=b"x" * 100000)[1]
    chunked = b"5;name=value\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    answer = app.raw(b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)
    assert b"with 15 bytes" in answer


def test_one_connection_carries_many_requests(app: App) -> None:
    """Keep-alive, also when the second request arrives before the first answer."""
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    last = b"\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = app.raw(request * 2 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"Connection: keep-alive") == 2 and answer.endswith(b"ok\n")


def test_old_http_ends_with_the_answer(app: App) -> None:
    """An HTTP/1.0 client without Host is answered, and the connection closed."""
    assert b"Connection: close" in app.raw(b"GET / HTTP/1.0\r\n\r\n")


def test_head_has_no_body(app: App) -> None:
    """HEAD gets the length of the page and not the page."""
    head, _, body = app.raw(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").partition(b"\r\n\r\n")
    assert re.search(rb"Content-Length: \d\d", head) and body == b""


def test_continue_is_said_before_the_body_is_read(app: App) -> None:
    """A client that waits for 100 Continue gets it, then its answer."""
    with app.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert b"with 2 bytes" in connection.recv(65536)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"x" * 200_000 + b"\r\n\r\n", 431),
    ],
)
def test_bad_requests_are_refused(app: App, request_: bytes, status: int) -> None:
    """What is no clear HTTP/1.1 gets a status that says so, and the connection ends."""
    answer = app.raw(request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status) and b"Connection: close" in answer


@pytest.mark.parametrize(
    "query", ["delay=61", "delay=-1", "delay=nan", "delay=x", "status=99", "status=600", "status=x"]
)
def test_faults_out_of_bounds_are_refused(app: App, query: str) -> None:
    """A delay beyond a minute or a status that is none is a 400 that names it."""
    status, text = app.get(f"/?{query}")
    assert status == 400 and query.partition("=")[0] in text


def test_query_makes_one_answer_slow_or_wrong(app: App) -> None:
    """`delay` and `status` change the answer that they are asked with, and no other."""
    begun = time.monotonic()
    assert app.get("/?delay=0.2&status=503")[0] == 503
    assert time.monotonic() - begun >= 0.2
    assert app.get()[0] == 200


def test_lasting_fault_leaves_the_health_check_alone(app: App) -> None:
    """A running instance can be told to answer errors and still call itself healthy, until it is told to stop."""
    assert app.get("/faults/status?code=500", "PUT")[0] == 204
    assert [app.get(path)[0] for path in ("/", "/x", "/healthz")] == [500, 500, 200]
    assert app.get("/faults/status", "DELETE")[0] == 204
    assert app.get()[0] == 200


@pytest.mark.parametrize(("path", "method", "status"), [("?code=200", "PUT", 400), ("", "PUT", 400), ("", "GET", 405)])
def test_fault_switch_refuses_nonsense(app: App, path: str, method: str, status: int) -> None:
    """Only an error status can be a fault, and only PUT and DELETE switch."""
    assert app.get(f"/faults/status{path}", method)[0] == status


def test_fault_from_the_start() -> None:
    """FAULT_STATUS makes an instance answer errors from its first request."""
    with started("whoami", FAULT_STATUS="502") as app:
        assert (app.get()[0], app.get("/healthz")[0]) == (502, 200)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "80.5"), ("FAULT_STATUS", "200")]
)
def test_bad_environment_ends_it_at_once(name: str, value: str) -> None:
    """Exit 2 and a line that names the variable."""
    done = ended("whoami", **{name: value})
    assert done.returncode == 2 and name in done.stderr and "Traceback" not in done.stderr


def test_termination_finishes_what_runs_and_closes_what_idles() -> None:
    """After SIGTERM a slow request is answered, idle connections end, nobody new gets in, and the exit code is 0."""
    with started("whoami") as app, app.connect() as busy, app.connect() as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65536).endswith(b"ok\n")
        busy.sendall(b"GET /?delay=0.6 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        app.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            app.connect()
        answer = read_all(busy)
        assert answer.startswith(b"HTTP/1.1 200 OK") and b"Connection: close" in answer
        assert app.process.wait(5) == 0


def test_termination_with_nothing_to_do_is_immediate() -> None:
    """Without connections nothing is waited for."""
    with started("whoami") as app:
        begun = time.monotonic()
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(5) == 0 and time.monotonic() - begun < 0.5


def test_termination_answers_who_has_connected() -> None:
    """Connections that nobody has accepted yet when SIGTERM comes are answered all the same."""
    with started("whoami") as app, contextlib.ExitStack() as connections:
        app.process.send_signal(signal.SIGSTOP)
        waiting = [connections.enter_context(app.connect()) for _ in range(50)]
        for connection in waiting:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        app.process.send_signal(signal.SIGTERM)
        app.process.send_signal(signal.SIGCONT)
        answers = [read_all(connection) for connection in waiting]
        assert all(answer.startswith(b"HTTP/1.1 200") and b"Connection: close" in answer for answer in answers)
        assert app.process.wait(5) == 0


def test_termination_comes_to_an_end_under_load() -> None:
    """Clients that connect without a pause do not keep it from ending."""
    with started("whoami") as app:

        def ask() -> None:
            with contextlib.suppress(OSError):
                while True:
                    app.get("/healthz")

        clients = [threading.Thread(target=ask) for _ in range(16)]
        for client in clients:
            client.start()
        time.sleep(0.3)
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(5) == 0
        for client in clients:
            client.join(5)


def test_start_imports_little() -> None:
    """What takes long to import is not imported: an instance must accept within milliseconds."""
    code = f"import sys; sys.path.insert(0, {str(folder('whoami'))!r}); import app; print(*sys.modules)"
    modules = subprocess.run(
        (sys.executable, "-B", "-S", "-c", code), capture_output=True, text=True, check=True
    ).stdout
    assert not {"http", "email", "asyncio", "ssl", "typing", "re", "logging", "urllib"} & set(modules.split())


def test_events_go_on_until_termination() -> None:
    """Server-sent events are numbered, and the last one tells the client to ask again elsewhere."""
    with started("whoami") as app, app.connect() as connection:
        connection.sendall(b"GET /events?pause=0.05 HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = b""
        while b"id: 3" not in seen:
            seen += connection.recv(65536)
        app.process.send_signal(signal.SIGTERM)
        seen += read_all(connection)
        assert b"Content-Type: text/event-stream" in seen and seen.endswith(b"event: end\ndata: ask again\n\n")
        assert app.process.wait(5) == 0


async def talked(port: int, act: Callable[[], None]) -> list[aiohttp.WSMessage]:
    """A message and its echo over a websocket, then what comes after `act`."""
    async with aiohttp.ClientSession() as client, client.ws_connect(f"http://127.0.0.1:{port}/socket") as socket_:
        await asyncio.gather(*(socket_.ping() for _ in range(20)), socket_.send_str("hello " * 40))
        seen = [await socket_.receive(5)]
        act()
        return [*seen, await socket_.receive(5)]


def test_websocket_says_that_it_goes_away() -> None:
    """A websocket gives messages back and is closed with 1001 at SIGTERM, which a client of the field understands."""
    with started("whoami") as app:
        first, last = asyncio.run(talked(app.port, lambda: app.process.send_signal(signal.SIGTERM)))
        assert (first.type, first.data) == (aiohttp.WSMsgType.TEXT, "hello " * 40)
        assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert app.process.wait(5) == 0


def test_websocket_needs_a_handshake(app: App) -> None:
    """A plain request to the websocket's path is told to upgrade."""
    assert app.get("/socket")[0] == 426
