"""Requests lost while `web` is scaled from 3 instances to 1 under load, and up again between the rounds."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from bench.asking import first_answer
from bench.load import Report, load
from bench.system import System

RATE, CLIENTS = 200, 20
BEFORE = 1.0  # seconds of load before the scaling; after it, `System.aftermath`


async def losing(system: System, rounds: int, *, keep: bool) -> list[dict[str, Any]]:
    """What became of the requests, a report for each round."""
    reports = []
    for _ in range(rounds):
        await system.scale(3)
        for instance in system.engine.all_of_service(system.project, "web"):
            await first_answer(system.entry, str(instance.id))
        reports.append(told(await one(system, keep=keep)))
    return reports


async def one(system: System, *, keep: bool) -> Report:
    """One scale-down under load."""
    over = asyncio.Event()
    work = asyncio.create_task(load(system.entry, over, rate=RATE, clients=CLIENTS, keep=keep))
    try:
        await asyncio.sleep(BEFORE)
        await system.scale(1)
        await asyncio.sleep(system.aftermath)
    finally:
        over.set()
    return await work


def told(report: Report) -> dict[str, Any]:
    """A report as JSON values; latencies as what the tables tell of them."""
    values = asdict(report)
    del values["latencies"]
    return {**values, "reasons": dict(report.reasons), "p99": report.p99, "longest": report.longest}
