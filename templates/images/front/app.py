"""front: a service that asks another one, by its name, for every request.

    GET /          what the backend answered, and who asked it; 502 with the reason when it does not answer
    GET /healthz   200, whatever the backend does

Environment: PORT (default 80), BACKEND_URL (http://name:port/path), BACKEND_TIMEOUT (whole seconds, default 3).
"""

from __future__ import annotations

import http.client
import os
import sys
import time
import urllib.parse

from listener import Refused, number, run
from server import Server
from wire import Request

LONGEST = 65536  # of the backend's answer


class Front(Server):
    """Resolves and connects anew for each request, so that it follows the registry."""

    def __init__(self, port: int) -> None:
        self.url = os.environ.get("BACKEND_URL", "")
        self.timeout = number(os.environ.get("BACKEND_TIMEOUT", "3"), "BACKEND_TIMEOUT", 1, 60)
        try:
            parts = urllib.parse.urlsplit(self.url)
            self.host, self.port = parts.hostname or "", parts.port or 80
        except ValueError:
            parts, self.host, self.port = urllib.parse.urlsplit(""), "", 0
        if parts.scheme != "http" or not self.host:
            raise Refused(500, f"BACKEND_URL must be http://name:port/path, not {self.url!r}")
        self.path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        super().__init__(port)

    def answer(self, request: Request, peer: str, own: str) -> tuple[int, str]:
        try:
            told = self.ask()
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            return 502, f"this is httpfrontservice at {own}: {self.url} does not answer: {reason}\n"
        return 200, f"this is httpfrontservice at {own}; {self.url} says:\n{told.strip()}\n"

    def ask(self) -> str:
        """The backend's answer, whole and in time."""
        ends = time.monotonic() + self.timeout
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request("GET", self.path, headers={"Connection": "close"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise http.client.HTTPException(f"status {answer.status}")
            body = b""
            # Piece by piece: the socket's timeout alone would let a byte a second go on for ever.
            while len(body) < LONGEST and (piece := answer.read1(LONGEST - len(body))):
                body += piece
                if time.monotonic() > ends:
                    raise TimeoutError("timed out in the middle of the answer")
            return body.decode("utf-8", "replace")
        finally:
            connection.close()


if __name__ == "__main__":
    sys.exit(run("front", Front, 80))
