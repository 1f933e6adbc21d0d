"""Ports for what a measurement or a test starts."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

# Below those that the kernel gives to clients (32768 and up): connections of a load took one before it was listened on.
FIRST, LAST = 20000, 30000


def free_port(count: int = 1) -> int:
    """The first of so many ports in a row that nobody listens on now."""
    while True:
        first = random.randrange(FIRST, LAST)
        with suppress(OSError), ExitStack() as listeners:
            for port in range(first, first + count):
                listeners.enter_context(socket.create_server(("", port)))
            return first
