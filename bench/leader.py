"""Consul's leader is killed under load, and a new instance is started right after. How long until both are well?

Two stacks that differ in one value: ours with raft_multiplier 1, and the same files with Consul's default timing.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from docker.models.containers import Container

from bench.asking import PACE, first_answer
from bench.load import load
from bench.losing import told
from bench.ours import Stack, stack
from bench.running import Engine, Failed, removed, started

RATE, CLIENTS = 50, 10
SERVERS = 3
PATIENCE = 120.0
OURS, DEFAULT = "raft_multiplier 1", "raft_multiplier 5"


@asynccontextmanager
async def default_timing() -> AsyncIterator[Stack]:
    """Our rendered files with Consul's default Raft timing, run by Compose without stackctl."""
    async with stack("raft") as made:
        file = await made.render()
        text, changed = re.subn(r"(raft_multiplier\W+)1\b", r"\g<1>5", file.read_text())
        if changed != SERVERS + 1:
            raise Failed(f"raft_multiplier stands {changed} times in the rendered Compose file")
        file.write_text(text)
        try:
            await made.compose("up", "--detach", "--wait")
            yield made
        finally:
            await made.compose("down", "--volumes")


def _advertised(server: Container) -> str:
    """The address by which the other servers know it."""
    networks = server.attrs["NetworkSettings"]["Networks"].values()
    return str(next(iter(networks))["IPAMConfig"]["LinkLocalIPs"][0])


async def leader(engine: Engine, made: Stack, rounds: int) -> list[dict[str, Any]]:
    """For each round: seconds to a new leader, seconds to the new instance's first answer, the load's report."""
    results = []
    for number in range(rounds):
        old = str(_consul(made, "/v1/status/leader"))
        victim = next(c for c in _servers(engine, made) if _advertised(c) == old.partition(":")[0])
        try:
            with removed(engine.twin(made.name, number)) as twin:
                results.append(await _one(made, old, victim, twin))
        finally:
            await asyncio.to_thread(victim.start)
        await _whole(made)
    return results


async def _one(made: Stack, old: str, victim: Container, twin: Container) -> dict[str, Any]:
    over = asyncio.Event()
    work = asyncio.create_task(load(made.entry, over, rate=RATE, clients=CLIENTS, keep=False))
    try:
        await asyncio.sleep(1)
        killed = time.time()
        await asyncio.to_thread(victim.kill)
        await asyncio.to_thread(twin.start)
        served = asyncio.create_task(first_answer(made.entry, str(twin.id), within=PATIENCE))
        elected = await _elected(made, old)
        at = await served
        await asyncio.sleep(0.5)
    finally:
        over.set()
    return {
        "elected": elected - killed,
        "served": at - killed,
        "start_to_answer": at - started(twin),
        "load": told(await work),
    }


async def _elected(made: Stack, old: str) -> float:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            # Only a leader answers a consistent read; status/leader alone goes on naming the dead one for a while.
            await asyncio.to_thread(_consul, made, "/v1/catalog/nodes?consistent")
            if await asyncio.to_thread(_consul, made, "/v1/status/leader") not in ("", old):
                return time.time()
        except (OSError, ValueError, http.client.HTTPException):
            pass
        await asyncio.sleep(PACE * 20)
    raise Failed("no new leader")


async def _whole(made: Stack) -> None:
    """Wait until every server is a healthy voter again."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            health = await asyncio.to_thread(_consul, made, "/v1/operator/autopilot/health")
            if health["Healthy"] and sum(bool(server["Voter"]) for server in health["Servers"]) == SERVERS:
                return
        except (OSError, ValueError, http.client.HTTPException):
            pass
        await asyncio.sleep(0.2)
    raise Failed("Consul did not become whole again")


def _servers(engine: Engine, made: Stack) -> list[Container]:
    return [engine.of_service(made.name, f"consul-{number}") for number in range(1, SERVERS + 1)]


def _consul(made: Stack, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", made.ui, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {text[:100]!r}")
        return json.loads(text)
    finally:
        connection.close()
