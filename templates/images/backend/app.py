"""backend: an internal service, which says its version.

    GET /          the version, on every path
    GET /healthz   200

Environment: PORT (default 8081), VERSION (default v1.0.0).
"""

from __future__ import annotations

import os
import sys

from listener import run
from server import Server
from wire import Request


class Backend(Server):
    """One line."""

    def answer(self, request: Request, peer: str, own: str) -> tuple[int, str]:
        return 200, f"this is httpbackendservice, version: {os.environ.get('VERSION') or 'v1.0.0'}\n"


if __name__ == "__main__":
    sys.exit(run("backend", Backend, 8081))
