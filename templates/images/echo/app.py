"""echo: a tcp server that gives each line back, with its version and the time before it.

Environment: PORT (default 9999), VERSION (default v1.0.0); with TLS_CERT and TLS_KEY, paths of PEM files, it speaks
TLS. After SIGTERM each line that has arrived is still answered.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import sys
import time

from listener import GRACE, Listener, Refused, run

LONGEST = 65536  # a longer line is given back in pieces
STALL = 5.0  # seconds, for a handshake and for a peer that does not read
LAST = 1.0  # after SIGTERM, for a peer that goes on sending


class Echo(Listener):
    """Holds every connection until its peer ends it, or SIGTERM does."""

    def __init__(self, port: int) -> None:
        self.version = os.environ.get("VERSION") or "v1.0.0"
        self.tls = context(os.environ.get("TLS_CERT", ""), os.environ.get("TLS_KEY", ""))
        super().__init__(port)

    def serve(self, connection: socket.socket, peer: str) -> None:
        connection.settimeout(STALL)
        try:
            with self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as stream:
                self.echo(stream)
                if isinstance(stream, ssl.SSLSocket):
                    stream.settimeout(GRACE)
                    stream.unwrap()  # says that this is the end, and no accident
                else:
                    leave(stream)
        except OSError:  # of TLS too: the peer left, fell silent or talks something else
            connection.close()

    def echo(self, connection: socket.socket) -> None:
        """Give back line after line."""
        rest, ends = b"", None
        while True:
            if ends is None and self.ended(connection):
                ends = time.monotonic() + LAST
            late = ends is not None and time.monotonic() > ends
            piece = b"" if late else received(connection, GRACE if ends else STALL)
            *lines, rest = (rest + piece).split(b"\n")
            if rest and (not piece or len(rest) > LONGEST):
                lines, rest = [*lines, rest], b""
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            answers = (f"{self.version} {now}: ".encode() + line.rstrip(b"\r") + b"\n" for line in lines)
            connection.sendall(b"".join(answers))
            if not piece:
                return

    def ended(self, connection: socket.socket) -> bool:
        """Wait until something arrives, or SIGTERM has come; which of them."""
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return self.closing
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(self.woken, select.POLLIN)
        return self.woken.fileno() in dict(poll.poll())


def received(connection: socket.socket, patience: float) -> bytes:
    """What has arrived; nothing when the peer is done, or silent for too long."""
    connection.settimeout(patience)
    try:
        return connection.recv(65536)
    except TimeoutError:
        return b""
    finally:
        connection.settimeout(STALL)


def leave(connection: socket.socket) -> None:
    """End in good order: what still arrives is read and dropped, since a reset would overtake the last answers."""
    connection.shutdown(socket.SHUT_WR)
    ends = time.monotonic() + LAST
    while time.monotonic() < ends and received(connection, GRACE):
        pass


def context(certificate: str, key: str) -> ssl.SSLContext | None:
    """TLS as the environment wants it; None for plain tcp."""
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise Refused(500, "TLS_CERT and TLS_KEY are wanted together")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        made.load_cert_chain(certificate, key)
    except OSError as error:
        raise Refused(500, f"TLS_CERT {certificate}, TLS_KEY {key}: {error}") from error
    return made


if __name__ == "__main__":
    sys.exit(run("echo", Echo, 9999))
