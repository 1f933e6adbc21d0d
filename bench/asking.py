"""Two ways to see what a balancer does: ask through it, and watch what it says of itself. Fresh connections only."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from bench.lines import Lines
from bench.running import DOCKER, Failed

PACE = 0.001
SETTLED = 0.3  # seconds that an answer must stay the same: longer than nginx keeps old workers that accept

# Asks the same question over fresh connections for ever; a line for each answer that differs from the one before.
# The time on it is when that answer was asked for the first time.
WATCH = """
import select, socket, sys, time
host, port, path, pace = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
last = None
while True:
    at = time.time()
    try:
        with socket.create_connection((host, port), 2) as s:
            s.sendall(f"GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n".encode())
            text = b"".join(iter(lambda: s.recv(65536), b""))
        body = " ".join(text.partition(b"\\r\\n\\r\\n")[2].decode().split())
    except OSError as error:
        body = repr(error)
    if body != last:
        print(f"{at:.6f} {body}", flush=True)
        last = body
    if select.select([0], [], [], pace)[0]:
        break  # who asked has gone
"""


async def ask(port: int) -> str:
    """The page behind a published entry; raises `OSError` where nobody answers in time."""
    return await ask_at("127.0.0.1", port)


async def ask_at(host: str, port: int) -> str:
    """The page at an address; raises `OSError` where nobody answers in time."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            return (await reader.read()).decode(errors="replace")
        finally:
            writer.close()


async def first_answer(port: int, container: str, *, within: float = 60.0) -> float:
    """When the container with this id was seen to answer for the first time, in seconds since the epoch."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            page = await ask(port)
        except (OSError, TimeoutError):
            page = ""
        if container[:12] in page:
            return time.time()
        await asyncio.sleep(PACE)
    raise Failed(f"{container[:12]} was not served within {within:g} s")


class Watch(Lines):
    """What a balancer says that it runs, watched from a process of its own, in its container or here."""

    def __init__(self, port: int, path: str, *, container: str = "") -> None:
        inside = (DOCKER, "exec", "-i", container, "python3") if container else (sys.executable,)
        super().__init__(*inside, "-u", "-c", WATCH, "127.0.0.1", str(port), path, "0.002")
        self._seen: list[tuple[float, str]] = []

    def read(self, line: str) -> None:
        at, _, body = line.partition(" ")
        self._seen.append((float(at), body))

    @property
    def now(self) -> str:
        """The last answer."""
        return self._seen[-1][1] if self._seen else ""

    async def changed(self, *, since: float, gone: Callable[[str], bool], within: float = 60.0) -> float:
        """From when on all answers were such that `gone` holds, whichever process of the balancer answered."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            if self._seen and gone(self.now) and time.time() - self._seen[-1][0] > SETTLED:
                last = next((n for n in range(len(self._seen) - 1, -1, -1) if not gone(self._seen[n][1])), -1)
                if last + 1 < len(self._seen) and self._seen[last + 1][0] >= since:
                    return self._seen[last + 1][0]
        raise Failed(f"the running config did not change within {within:g} s; it says {self.now[:200]}")
