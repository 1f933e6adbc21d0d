"""An HTTP/1.1 server: the requests of each connection one after the other, and `/healthz`."""

from __future__ import annotations

import io
import socket

from listener import GRACE, Listener, Refused
from wire import PLAIN, Request, linger, response

IDLE = 75.0  # seconds; longer than balancers keep an idle connection, so that it is they who close it
STALL = 10.0  # for a peer that falls silent in the middle of a request or an answer


class Server(Listener):
    """Answers requests until SIGTERM."""

    content_type = PLAIN

    def answer(self, request: Request, peer: str, own: str) -> tuple[int, str]:
        """Status and text for one request from `peer`, which reached us at the address `own`."""
        raise NotImplementedError

    def streams(self, request: Request, connection: socket.socket, stream: io.BufferedReader) -> bool:
        """Answer with what goes on until one side ends it; False where a request is not of that kind."""
        return False

    def serve(self, connection: socket.socket, peer: str) -> None:
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
            if self.streams(request, connection, stream):
                return False
            healthy = request.path == "/healthz"
            status, text = (200, "ok\n") if healthy else self.answer(request, peer, connection.getsockname()[0])
        except (Refused, TimeoutError) as error:
            status = error.status if isinstance(error, Refused) else 408
            connection.sendall(response(status, f"{error}\n", keep_alive=False))
            linger(connection, stream)
            return False
        keep_alive = request.keep_alive and not self.closing
        head_only = request.method == "HEAD"
        kind = PLAIN if healthy else self.content_type
        connection.sendall(response(status, text, keep_alive=keep_alive, head_only=head_only, content_type=kind))
        return keep_alive
