"""whoami: a small web server that says when, how often, by whom and of whom it was asked.

    GET /                         the page, on every path; ?delay=SECONDS and ?status=CODE make it slow or wrong
    GET /healthz                  200, whatever the page answers
    GET /events                   server-sent events, one a second or ?pause=SECONDS; the last one is named `end`
    GET /socket                   a websocket that gives each message back
    PUT /faults/status?code=500   from now on the page answers with this status; DELETE takes it back

Environment: PORT (default 80), FAULT_STATUS (a fault from the start).
"""

from __future__ import annotations

import io
import itertools
import os
import socket
import sys
import time

from listener import number, run
from server import Server
from streams import events, websocket
from wire import Request


class Whoami(Server):
    """Counts its pages, and fails when it is told to."""

    def __init__(self, port: int) -> None:
        fault = os.environ.get("FAULT_STATUS")
        self.fault = int(number(fault, "FAULT_STATUS", 400, 599)) if fault else None
        self.pages = itertools.count(1)
        super().__init__(port)

    def answer(self, request: Request, peer: str, own: str) -> tuple[int, str]:
        """The page, or the switch of its fault."""
        if request.path == "/faults/status":
            return self.switch(request)
        time.sleep(number(request.query.get("delay", "0"), "delay", 0, 60))
        status = number(request.query.get("status", str(self.fault or 200)), "status", 200, 599)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        return int(status), (
            f"{now}: {next(self.pages)} requests from <LOCAL: {peer}> to WebServer <{own}>\n"
            f"{request.method} {request.path} with {request.received} bytes, answered by {socket.gethostname()}\n"
        )

    def streams(self, request: Request, connection: socket.socket, stream: io.BufferedReader) -> bool:
        """Events and the websocket."""
        if request.path == "/events":
            pause = number(request.query.get("pause", "1"), "delay", 0.01, 60)
            events(connection, self.woken, pause, socket.gethostname())
        elif request.path == "/socket":
            websocket(connection, stream, self.woken, request)
        return request.path in ("/events", "/socket")

    def switch(self, request: Request) -> tuple[int, str]:
        """Turn the lasting fault on or off."""
        if request.method == "PUT":
            self.fault = int(number(request.query.get("code", ""), "code", 400, 599))
        elif request.method == "DELETE":
            self.fault = None
        else:
            return 405, "PUT /faults/status?code=CODE or DELETE /faults/status\n"
        return 204, ""


if __name__ == "__main__":
    sys.exit(run("whoami", Whoami, 80))
