"""A bounded load that counts every single request: open connections, a steady rate, GET and POST.

Written here because load generators retry, or count only what came back: a lost request is one that got no answer, an
answer that broke off, or a status of 500 and more. Nothing is ever tried a second time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

TIMEOUT = 10.0  # seconds, after which a request counts as lost
BODY = b"x" * 512


@dataclass
class Report:
    """What became of the requests; times in seconds."""

    sent: int = 0
    lost: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)  # when good answers were complete, monotonic

    def __add__(self, other: Report) -> Report:
        return Report(
            self.sent + other.sent,
            self.lost + other.lost,
            self.reasons + other.reasons,
            self.latencies + other.latencies,
            self.answered + other.answered,
        )

    @property
    def p99(self) -> float:
        """The latency that 99 of 100 answers stayed under."""
        ordered = sorted(self.latencies)
        return ordered[int(len(ordered) * 0.99)] if ordered else 0.0

    @property
    def longest(self) -> float:
        """The longest wait for an answer."""
        return max(self.latencies, default=0.0)

    @property
    def gap(self) -> float:
        """The longest time in which nobody got a good answer."""
        return max((late - early for early, late in pairwise(sorted(self.answered))), default=0.0)


class Client:
    """One client: on one connection for as long as the server keeps it (`keep`), or on a fresh one a request."""

    def __init__(self, port: int, *, keep: bool, host: str = "127.0.0.1") -> None:
        self._address = (host, port)
        self._keep = keep
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    async def request(self, method: str, path: str = "/") -> int:
        """Send one request and read the whole answer; its status. Raises where there is none."""
        if self._streams is None or self._streams[0].at_eof():
            self._close()  # the server said in time that it is done with this connection: that loses nothing
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        body = BODY if method == "POST" else b""
        connection = "keep-alive" if self._keep else "close"
        headers = f"Host: bench\r\nConnection: {connection}\r\nContent-Length: {len(body)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\n{headers}\r\n"
        try:
            writer.write(head.encode() + body)
            status, closes = await self._answer(reader)
        except BaseException:
            self._close()
            raise
        if closes or not self._keep:
            self._close()
        return status

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bool]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            await reader.readexactly(int(headers.get("content-length", "0")))
        return int(lines[0].split()[1]), headers.get("connection", "").lower() == "close"

    def _close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def load(
    port: int, until: asyncio.Event, *, rate: float, clients: int, keep: bool, host: str = "127.0.0.1"
) -> Report:
    """`rate` requests a second from `clients` clients, half GET, half POST, until told to end (at most 5 minutes)."""

    async def one(number: int) -> Report:
        report, began, turn = Report(), time.monotonic() + number / rate, 0
        async with Client(port, keep=keep, host=host) as client:
            while not until.is_set() and time.monotonic() - began < 300:
                pause = began + turn * clients / rate - time.monotonic()
                turn += 1
                if pause > 0:
                    await asyncio.sleep(pause)
                await _measured(client, "POST" if (turn + number) % 2 else "GET", report)
        return report

    total = Report()
    for report in await asyncio.gather(*(one(number) for number in range(clients))):
        total += report
    return total


async def _measured(client: Client, method: str, report: Report) -> None:
    began = time.monotonic()
    report.sent += 1
    try:
        async with asyncio.timeout(TIMEOUT):
            status = await client.request(method)
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError, ValueError) as error:
        report.lost += 1
        report.reasons[f"{method} {type(error).__name__}"] += 1
    else:
        if status >= 500:
            report.lost += 1
            report.reasons[f"{method} status {status}"] += 1
        else:
            report.answered.append(time.monotonic())
    report.latencies.append(time.monotonic() - began)
