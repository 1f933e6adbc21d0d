"""A server that answers grpc.health.v1.Health/Check over plain HTTP/2: the service `web`, and the server itself, serve.

Just enough of RFC 9113 for one question a connection; runs in a container by `python3 -c`, where there is no more of
the standard library than Debian's python3-minimal has.
"""

import socket
import struct
import threading

DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE, HEAD = 24, 9  # bytes
SERVING = b"\x00\x00\x00\x00\x02\x08\x01"  # a message of two bytes: field 1 is 1
SERVICES = (b"", b"\x0a\x03web")  # the empty request, and field 1 with three letters


def header(name: bytes, value: bytes) -> bytes:
    """A header in HPACK's plainest form: not indexed, not compressed."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


OK = b"\x88" + header(b"content-type", b"application/grpc")  # 0x88 is `:status: 200`


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def answer(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """The frames that one frame asks for."""
    if kind in (SETTINGS, PING) and not flags & ACK:
        return frame(kind, ACK, 0, payload if kind == PING else b"")
    if kind == DATA and flags & END_STREAM:
        known = payload[5:] in SERVICES
        message = frame(DATA, 0, stream, SERVING) if known else b""
        status = header(b"grpc-status", b"0" if known else b"5")
        return (
            frame(HEADERS, END_HEADERS, stream, OK) + message + frame(HEADERS, END_HEADERS | END_STREAM, stream, status)
        )
    return b""


def serve(connection: socket.socket) -> None:
    """Read frames until the other side goes."""
    try:
        with connection, connection.makefile("rb") as stream:
            stream.read(PREFACE)
            connection.sendall(frame(SETTINGS, 0, 0))
            while len(head := stream.read(HEAD)) == HEAD:
                kind, flags, number = struct.unpack(">BBI", head[3:])
                connection.sendall(answer(kind, flags, number, stream.read(int.from_bytes(head[:3], "big"))))
    except OSError:
        pass  # the other side has gone in the middle


if __name__ == "__main__":
    listener = socket.create_server(("", 80))
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
