"""Ports for what a test starts."""

from __future__ import annotations

import contextlib
import random
import socket

# Below those that the kernel gives to clients (32768 and up): a test's own load took one before it was listened on.
FIRST, LAST = 20000, 32000


def free_port(span: int = 1) -> int:
    """The first of so many ports in a row that nobody listens on now."""
    while True:
        first = random.randrange(FIRST, LAST)
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in range(first, first + span):
                probes.enter_context(socket.create_server(("", port)))
            return first
