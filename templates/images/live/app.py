"""live: an API's page, which says what it is called and at which address it was reached.

    GET /          the page, on every path
    GET /healthz   200

Environment: PORT (default 8080), API_NAME (default: the host's name).
"""

from __future__ import annotations

import os
import socket
import sys

from listener import run
from server import Server
from wire import Request

PAGE = """\
<!doctype html>
<meta charset="utf-8">
<title>Live API {name}</title>
<h1>This is the live streaming API {name} #IP:{own}</h1>
"""


class Live(Server):
    """One page."""

    content_type = "text/html; charset=utf-8"

    def answer(self, request: Request, peer: str, own: str) -> tuple[int, str]:
        return 200, PAGE.format(name=escaped(os.environ.get("API_NAME") or socket.gethostname()), own=own)


def escaped(text: str) -> str:
    """Text that is no markup; importing html would take longer than the answer."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


if __name__ == "__main__":
    sys.exit(run("live", Live, 8080))
