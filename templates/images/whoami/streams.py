"""Answers that go on until SIGTERM: server-sent events, and a websocket that gives each message back.

Both tell their peer when they end, so that it can ask again elsewhere: the events with one named `end`, the websocket
with the code 1001, going away (RFC 6455, section 7.4.1).
"""

from __future__ import annotations

import io
import select
import socket

from listener import Refused
from wire import Request

EVENTS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # or nginx holds events back once its first buffer is full
    "Connection": "close",
}
KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GOING_AWAY = 1001
LAST = 1.0  # seconds for the peer to close as well


def events(connection: socket.socket, woken: socket.socket, pause: float, host: str) -> None:
    """An event at once and one every `pause` seconds, until the peer leaves or SIGTERM comes."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in EVENTS.items())
    connection.sendall(f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode())
    number = 0
    while True:
        number += 1
        connection.sendall(f"id: {number}\ndata: {number} from {host}\n\n".encode())
        ready = _ready(connection, woken, pause)
        if woken in ready:
            connection.sendall(b"event: end\ndata: ask again\n\n")
        if ready:
            return


def websocket(connection: socket.socket, stream: io.BufferedReader, woken: socket.socket, request: Request) -> None:
    """Shake hands, then give messages back until the peer closes or SIGTERM comes."""
    connection.sendall(_handshake(request).encode())
    while True:
        if not _buffered(connection, stream) and woken in _ready(connection, woken, None):
            connection.sendall(_frame(CLOSE, GOING_AWAY.to_bytes(2, "big")))
            connection.settimeout(LAST)
            while _received(stream)[0] != CLOSE:
                pass
            return
        kind, payload = _received(stream)
        if kind in (TEXT, BINARY):
            connection.sendall(_frame(kind, payload))
        elif kind == PING:
            connection.sendall(_frame(PONG, payload))
        elif kind == CLOSE:
            connection.sendall(_frame(CLOSE, payload[:2]))
            return


def _handshake(request: Request) -> str:
    import base64  # not at the start of a server that has to accept within milliseconds
    import hashlib

    key = request.headers.get("sec-websocket-key", "")
    if request.headers.get("upgrade", "").lower() != "websocket" or not key:
        raise Refused(426, "this path talks websocket")
    accept = base64.b64encode(hashlib.sha1((key + KEY_SUFFIX).encode()).digest()).decode()
    lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
    return "\r\n".join((*lines, f"Sec-WebSocket-Accept: {accept}", "", ""))


def _ready(connection: socket.socket, woken: socket.socket, seconds: float | None) -> list[socket.socket]:
    """Which of the two has something to say within that time."""
    readable: list[socket.socket] = select.select([connection, woken], [], [], seconds)[0]
    return readable


def _buffered(connection: socket.socket, stream: io.BufferedReader) -> bool:
    """Whether there is more to read than the kernel knows of: two frames often come in one packet."""
    patience = connection.gettimeout()
    connection.setblocking(False)
    try:
        return bool(stream.peek(1))
    finally:
        connection.settimeout(patience)


def _received(stream: io.BufferedReader) -> tuple[int, bytes]:
    """The kind and the payload of the next frame; a message in several frames is refused."""
    first, second = _exactly(stream, 2)
    length = second & 0x7F
    if length == 126:
        length = int.from_bytes(_exactly(stream, 2), "big")
    if length == 127 or not first & 0x80 or not second & 0x80:
        raise ConnectionResetError("a frame that this server does not read")
    mask = _exactly(stream, 4)
    return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(_exactly(stream, length)))


def _exactly(stream: io.BufferedReader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionResetError("the peer left")
    return data


def _frame(kind: int, payload: bytes) -> bytes:
    length = bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | kind]) + length + payload
