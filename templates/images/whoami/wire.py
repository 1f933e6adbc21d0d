"""HTTP/1.1 on a bare socket: one request in, one response out.

What a proxy and a server could read differently (two lengths, a length and a coding, odd whitespace) is refused, never
guessed.
"""

from __future__ import annotations

import io
import socket
import time

from listener import Refused

MAX_HEAD = 16384
PLAIN = "text/plain; charset=utf-8"
REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    405: "Method Not Allowed",
    408: "Request Timeout",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class Request:
    """One request, read from a connection; `received` is the size of its body, which is read and forgotten."""

    def __init__(self, connection: socket.socket, stream: io.BufferedReader) -> None:
        head = _head(stream)
        try:
            self.method, target, version = head[0].split(" ")
        except ValueError:
            raise Refused(400, f"not a request line: {head[0]!r}") from None
        if version not in ("HTTP/1.0", "HTTP/1.1"):
            raise Refused(505, f"not HTTP/1.1: {version!r}")
        self.headers = headers = _headers(head[1:])
        if version == "HTTP/1.1" and "host" not in headers:
            raise Refused(400, "a request needs a Host")
        self.path, _, query = target.partition("?")
        self.query = dict(pair.partition("=")[::2] for pair in query.split("&"))
        self.keep_alive = version == "HTTP/1.1" and "close" not in headers.get("connection", "").lower()
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.received = _body(stream, headers)


def response(status: int, text: str, *, keep_alive: bool, head_only: bool = False, content_type: str = PLAIN) -> bytes:
    """A whole response, for a single write."""
    body = b"" if status in (204, 304) else text.encode("utf-8", "backslashreplace")
    lines = [
        f"HTTP/1.1 {status} {REASONS.get(status, 'Fault')}",
        time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        f"Content-Type: {content_type}",
        "X-Content-Type-Options: nosniff",
        *([f"Content-Length: {len(body)}"] if body else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head_only else body)


def linger(connection: socket.socket, stream: io.BufferedReader) -> None:
    """Read on for a moment: closing a connection with unread bytes would take the answer back."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(1)
    for _ in range(64):
        if not stream.read1(65536):
            return


def _head(stream: io.BufferedReader) -> list[str]:
    """The lines up to the blank one; blank lines before the first are skipped, as RFC 9112 asks."""
    lines: list[str] = []
    left = MAX_HEAD
    while True:
        line = stream.readline(left + 1)
        left -= len(line)
        if left < 0:
            raise Refused(431, f"the head is longer than {MAX_HEAD} bytes")
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the peer left in the middle of a head")
        if line := line.rstrip(b"\r\n"):
            lines.append(line.decode("latin-1"))
        elif lines:
            return lines


def _headers(lines: list[str]) -> dict[str, str]:
    """Headers by lower-case name."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Refused(400, f"not a header: {line!r}")
        name, value = name.lower(), value.strip()
        if name in headers and name in ("host", "content-length", "transfer-encoding"):
            raise Refused(400, f"two {name} headers")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _body(stream: io.BufferedReader, headers: dict[str, str]) -> int:
    """Read past the body; its size."""
    coding = headers.get("transfer-encoding")
    if coding is None:
        return _skip(stream, _size(headers.get("content-length", "0"), "0123456789"))
    if coding.lower() != "chunked":
        raise Refused(501, f"transfer encoding {coding!r}")
    if "content-length" in headers:
        raise Refused(400, "a length and a transfer encoding")
    total = 0
    while chunk := _size(stream.readline(MAX_HEAD).split(b";")[0].strip().decode("latin-1"), "0123456789abcdefABCDEF"):
        total += _skip(stream, chunk)
        if stream.readline(2) != b"\r\n":
            raise Refused(400, "a chunk is longer than it says")
    while stream.readline(MAX_HEAD).strip():
        pass  # trailers
    return total


def _size(text: str, digits: str) -> int:
    """A length of at most 18 digits; int() alone takes signs, spaces and underscores too."""
    if not 0 < len(text) <= 18 or not set(text) <= set(digits):
        raise Refused(400, f"not a length: {text!r}")
    return int(text, 10 if len(digits) == 10 else 16)


def _skip(stream: io.BufferedReader, length: int) -> int:
    left = length
    while left:
        got = len(stream.read(min(left, 65536)))
        if not got:
            raise ConnectionResetError("the peer left in the middle of a body")
        left -= got
    return length
