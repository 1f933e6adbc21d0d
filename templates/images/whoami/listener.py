"""Accepts connections on a port until SIGTERM, gives each a thread, and then finishes what has begun.

Bare sockets, because a sample has to accept within milliseconds of its start: importing http.server takes longer than
all of this. SIGTERM loses nothing: whoever has connected is served, then the process exits.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time

BACKLOG = 1024  # connections that the kernel keeps for us until they are accepted: a busy second of them
LAST_CALL = 10  # milliseconds, for connections that the kernel is just about to hand over
GRACE = 0.1  # after SIGTERM, for what is on its way over connections that look idle


class Refused(Exception):
    """What was asked cannot be answered; an HTTP peer gets the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Listener:
    """A thread for each connection; the main thread accepts and waits for SIGTERM."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_server(("", port), backlog=BACKLOG)
        self.lock = threading.Lock()  # of the two below
        self.idle: set[socket.socket] = set()
        self.closing = False
        self.woken, self.waker = socket.socketpair()  # the first can be read, and never is, once SIGTERM has come

    def serve(self, connection: socket.socket, peer: str) -> None:
        """Everything that is done for one connection."""
        raise NotImplementedError

    def run(self) -> None:
        """Serve until SIGTERM; the interpreter then waits for the threads that still answer."""
        self.waker.setblocking(False)
        signal.set_wakeup_fd(self.waker.fileno())
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: None)
        self.socket.setblocking(False)
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        poll.register(self.woken, select.POLLIN)
        while self.woken.fileno() not in dict(poll.poll()):
            self.accept()
        with self.lock:
            self.closing = True
        # Who has connected already would be reset when the listener closes; who never stops must not keep it open.
        poll.unregister(self.woken)
        for _ in range(BACKLOG):
            if not poll.poll(LAST_CALL):
                break
            self.accept()
        self.socket.close()
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
            connection, peer = self.socket.accept()
        except BlockingIOError:
            return False
        except OSError:  # out of descriptors; those that end give some back
            time.sleep(GRACE)
            return False
        threading.Thread(target=self.serve, args=(connection, peer[0])).start()
        return True


def number(text: str, name: str, lowest: int, highest: int) -> float:
    """A number within bounds; only a delay may have a fraction."""
    try:
        value = float(text) if name == "delay" else int(text)
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        raise Refused(400, f"{name} must be a number from {lowest} to {highest}, not {text!r}")
    return value


def run(name: str, made: type[Listener], default: int) -> int:
    """Run a listener on the environment's PORT; 2 where the environment makes no sense."""
    try:
        listener = made(int(number(os.environ.get("PORT", str(default)), "PORT", 1, 65535)))
    except (Refused, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    listener.run()
    return 0
