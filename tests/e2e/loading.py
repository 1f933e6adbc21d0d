"""Steady loads on a scenario's entries while something is done; every single request and connection is counted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.load import Client, Report, load
from tests.e2e.scenario import Scenario

NO_ANSWER = (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError, ValueError)
PATIENCE = 3.0  # seconds for one entry, after which another one is asked
LONGEST = 10.0  # seconds for a line of a stream
OPEN_STREAMS = 4


def loaded(scenario: Scenario, act: Callable[[], object], *, rate: float = 150.0, ports: int = 1) -> Report:
    """What became of the requests, half GET, half POST, on kept and on fresh connections, on this many entries each."""
    return loaded_at("127.0.0.1", scenario.port, act, rate=rate, ports=ports)


def loaded_at(host: str, first: int, act: Callable[[], object], *, rate: float = 150.0, ports: int = 1) -> Report:
    """The same for entries on any machine."""
    kinds = [
        partial(load, port, rate=rate / 2 / ports, clients=8, keep=keep, host=host)
        for port in range(first, first + ports)
        for keep in (True, False)
    ]
    return sum(while_doing(act, *kinds), Report())


def idempotent(report: Report) -> int:
    """How many GETs were lost."""
    return sum(count for reason, count in report.reasons.items() if reason.startswith("GET"))


def while_doing(act: Callable[[], object], *loads: Callable[[asyncio.Event], Coroutine[Any, Any, Any]]) -> list[Any]:
    """What each of these loads reports, which run while something is done and are told then to end."""

    async def all_of_it() -> list[Any]:
        done = asyncio.Event()
        running = [asyncio.create_task(one(done)) for one in loads]
        try:
            await asyncio.to_thread(act)
        finally:
            done.set()
        return list(await asyncio.gather(*running))

    return asyncio.run(all_of_it())


@dataclass
class Roamed(Report):
    """The report of clients that know several entries; `retried` are the requests that one of them did not answer."""

    retried: Counter[str] = field(default_factory=Counter)


async def roam(
    ports: tuple[int, ...], until: asyncio.Event, *, rate: float, clients: int, keep: bool, host: str = "127.0.0.1"
) -> Roamed:
    """Half GET, half POST, from clients that ask the next entry where one gives no answer, and stay there."""
    report = Roamed()

    async def one(number: int) -> None:
        first = number % len(ports)
        entries = [Client(port, keep=keep, host=host) for port in ports[first:] + ports[:first]]
        began, turn = time.monotonic() + number / rate, 0
        while not until.is_set():
            await asyncio.sleep(max(0.0, began + turn * clients / rate - time.monotonic()))
            turn += 1
            await _roaming(entries, "POST" if (turn + number) % 2 else "GET", report)

    await asyncio.gather(*(one(number) for number in range(clients)))
    return report


async def _roaming(entries: list[Client], method: str, report: Roamed) -> None:
    began, failed = time.monotonic(), ""
    report.sent += 1
    for _ in range(len(entries)):
        try:
            async with asyncio.timeout(PATIENCE):
                status = await entries[0].request(method)
            failed = f"{method} status {status}" if status >= 500 else ""
            break
        except NO_ANSWER as error:
            failed = f"{method} {type(error).__name__}"
            report.retried[failed] += 1
            entries.append(entries.pop(0))
    if failed:
        report.lost += 1
        report.reasons[failed] += 1
    report.latencies.append(time.monotonic() - began)


@dataclass
class Streamed:
    """What became of tcp connections: `sent` were opened, `lost` of them had no answer; `ended` were told to end."""

    sent: int = 0
    ended: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        """How many were not answered, or broke off instead of being told to end."""
        return sum(self.reasons.values())


async def say_lines(port: int, until: asyncio.Event, *, rate: float) -> Streamed:
    """So many new connections a second, each for one line and its answer."""
    report, began = Streamed(), time.monotonic()

    async def say() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await _said(reader, writer)
        finally:
            writer.close()

    while not until.is_set():
        await asyncio.sleep(max(0.0, began + report.sent / rate - time.monotonic()))
        await _counted(report, "new", say())
    return report


async def hold_streams(port: int, until: asyncio.Event) -> Streamed:
    """A few connections that are held open, each with a line now and again, and opened again when told to end."""
    report = Streamed()

    async def hold() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await _said(reader, writer)
            ending = asyncio.create_task(reader.read(1))
            over = asyncio.create_task(until.wait())
            await asyncio.wait({ending, over}, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            if ending.done():
                assert ending.result() == b""
                report.ended += 1
            else:
                ending.cancel()
        finally:
            writer.close()

    async def one() -> None:
        while not until.is_set():
            await _counted(report, "held", hold(), timeout=None)

    await asyncio.gather(*(one() for _ in range(OPEN_STREAMS)))
    return report


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"a line\n")
    async with asyncio.timeout(LONGEST):
        answer = await reader.readuntil(b"\n")
    if not answer.endswith(b": a line\n"):
        raise ValueError(answer)


async def _counted(
    report: Streamed, kind: str, connection: Awaitable[None], *, timeout: float | None = LONGEST
) -> None:
    report.sent += 1
    try:
        async with asyncio.timeout(timeout):
            await connection
    except NO_ANSWER as error:
        report.reasons[f"{kind} {type(error).__name__}"] += 1
