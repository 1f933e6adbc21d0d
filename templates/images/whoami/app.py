"""whoami: a small web server that says when, how often, by whom and of whom it was asked.

    GET /                         the page, on every path; ?delay=SECONDS and ?status=CODE make it slow or wrong
    GET /healthz                  200, whatever the page answers
    PUT /faults/status?code=500   from now on the page answers with this status; DELETE takes it back

Environment: PORT (default 80), FAULT_STATUS (a fault from the start).

Bare sockets, because it has to accept within milliseconds of its start: importing http.server takes longer than all of
this. SIGTERM loses no request: whatever has connected is answered, then the process exits.
"""

from __future__ import annotations

import io
import itertools
import os
import select
import signal
import socket
import sys
import threading
import time

from wire import Refused, Request, linger, response

IDLE = 75.0  # seconds; longer than balancers keep an idle connection, so that it is they who close it
STALL = 10.0  # for a peer that falls silent in the middle of a request or an answer
BACKLOG = 128  # connections that the kernel keeps for us until they are accepted
GRACE = 0.1  # after SIGTERM, for requests that are on their way over connections that look idle


class Server:
    """A thread for each connection; the main thread accepts and waits for SIGTERM."""

    def __init__(self, port: int, fault: int | None) -> None:
        self.fault = fault
        self.pages = itertools.count(1)
        self.listener = socket.create_server(("", port), backlog=BACKLOG)
        self.lock = threading.Lock()  # of the two below
        self.idle: set[socket.socket] = set()
        self.closing = False

    def run(self) -> None:
        """Serve until SIGTERM; the interpreter then waits for the threads that still answer."""
        woken, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: None)
        self.listener.setblocking(False)
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while woken.fileno() not in dict(poll.poll()):
            self.accept()
        with self.lock:
            self.closing = True
        # Who has connected already would be reset when the listener closes; who never stops must not keep it open.
        for _ in range(BACKLOG):
            if not self.accept():
                break
        self.listener.close()
        if threading.active_count() > 1:
            time.sleep(GRACE)
        with self.lock:
            for connection in self.idle:
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    pass  # its peer was faster

    def accept(self) -> bool:
        """Give one connection a thread of its own; False when none waits."""
        try:
            connection, peer = self.listener.accept()
        except BlockingIOError:
            return False
        except OSError:  # out of descriptors; those that end give some back
            time.sleep(GRACE)
            return False
        threading.Thread(target=self.serve, args=(connection, peer[0])).start()
        return True

    def serve(self, connection: socket.socket, peer: str) -> None:
        """Answer the requests of one connection, one after the other."""
        fresh = True
        with connection, connection.makefile("rb") as stream:
            try:
                while self.comes(connection, stream, fresh) and self.exchange(connection, stream, peer):
                    fresh = False
            except OSError:
                pass  # the peer left or fell silent; there is nobody to tell

    def comes(self, connection: socket.socket, stream: io.BufferedReader, fresh: bool) -> bool:
        """Wait for the first byte of a request; False when none comes."""
        with self.lock:
            if self.closing and not fresh:
                return False
            connection.settimeout(GRACE if self.closing else IDLE)
            self.idle.add(connection)
        try:
            return bool(stream.peek(1))
        finally:
            with self.lock:
                self.idle.discard(connection)
            connection.settimeout(STALL)

    def exchange(self, connection: socket.socket, stream: io.BufferedReader, peer: str) -> bool:
        """Answer one request; True when another may follow."""
        try:
            request = Request(connection, stream)
            status, text = self.answer(request, peer, connection.getsockname()[0])
        except (Refused, TimeoutError) as error:
            status = error.status if isinstance(error, Refused) else 408
            connection.sendall(response(status, f"{error}\n", keep_alive=False))
            linger(connection, stream)
            return False
        keep_alive = request.keep_alive and not self.closing
        connection.sendall(response(status, text, keep_alive=keep_alive, head_only=request.method == "HEAD"))
        return keep_alive

    def answer(self, request: Request, peer: str, own: str) -> tuple[int, str]:
        """Status and text for one request."""
        if request.path == "/healthz":
            return 200, "ok\n"
        if request.path == "/faults/status":
            return self.switch(request)
        time.sleep(number(request.query.get("delay", "0"), "delay", 0, 60))
        status = number(request.query.get("status", str(self.fault or 200)), "status", 200, 599)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        return int(status), (
            f"{now}: {next(self.pages)} requests from <LOCAL: {peer}> to WebServer <{own}>\n"
            f"{request.method} {request.path} with {request.received} bytes, answered by {socket.gethostname()}\n"
        )

    def switch(self, request: Request) -> tuple[int, str]:
        """Turn the lasting fault on or off."""
        if request.method == "PUT":
            self.fault = int(number(request.query.get("code", ""), "code", 400, 599))
        elif request.method == "DELETE":
            self.fault = None
        else:
            return 405, "PUT /faults/status?code=CODE or DELETE /faults/status\n"
        return 204, ""


def number(text: str, name: str, lowest: int, highest: int) -> float:
    """A number within bounds; only a delay may have a fraction."""
    try:
        value = float(text) if name == "delay" else int(text)
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        raise Refused(400, f"{name} must be a number from {lowest} to {highest}, not {text!r}")
    return value


def main() -> int:
    """Read the environment and serve; 2 where it makes no sense."""
    try:
        port = int(number(os.environ.get("PORT", "80"), "PORT", 1, 65535))
        fault = os.environ.get("FAULT_STATUS")
        server = Server(port, int(number(fault, "FAULT_STATUS", 400, 599)) if fault else None)
    except (Refused, OSError) as error:
        print(f"whoami: {error}", file=sys.stderr)
        return 2
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
