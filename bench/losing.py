"""Requests lost while something is done to three instances of `web` under load; three again before every round.

scaling: two of them go. replacing: each gives way to a new one. killing: one of them dies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from bench.asking import first_answer
from bench.load import Report, load
from bench.system import System

RATE, CLIENTS = 200, 20
BEFORE = 1.0  # seconds of load before it; after it, `System.aftermath`


async def scaled_down(system: System) -> None:
    """From 3 to 1."""
    await system.scale(1)


async def replaced(system: System) -> None:
    """All three."""
    await system.replace()


async def killed(system: System) -> None:
    """`docker kill` of the last one."""
    await asyncio.to_thread(system.engine.all_of_service(system.project, "web")[-1].kill)


WAYS: dict[str, Callable[[System], Awaitable[None]]] = {
    "losing": scaled_down,
    "replacing": replaced,
    "killing": killed,
}


async def losing(system: System, rounds: int, way: str, *, keep: bool) -> list[dict[str, Any]]:
    """What became of the requests, a report for each round."""
    reports = []
    for _ in range(rounds):
        await system.scale(3)
        for instance in system.engine.all_of_service(system.project, "web"):
            await first_answer(system.entry, str(instance.id))
        reports.append(await one(system, WAYS[way], keep=keep))
    return reports


async def one(system: System, act: Callable[[System], Awaitable[None]], *, keep: bool) -> dict[str, Any]:
    """One time under load, as JSON values; `seconds` is what the command took."""
    over = asyncio.Event()
    work = asyncio.create_task(load(system.entry, over, rate=RATE, clients=CLIENTS, keep=keep))
    try:
        await asyncio.sleep(BEFORE)
        began = time.monotonic()
        await act(system)
        took = time.monotonic() - began
        await asyncio.sleep(system.aftermath)
    finally:
        over.set()
    return {**told(await work), "seconds": took}


def told(report: Report) -> dict[str, Any]:
    """A report as JSON values; latencies as what the tables tell of them."""
    values = asdict(report)
    del values["latencies"], values["answered"]
    told = {"p99": report.p99, "longest": report.longest, "gap": report.gap}
    return {**values, "reasons": dict(report.reasons), **told}
