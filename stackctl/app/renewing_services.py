"""Consul's servers in a Swarm are updated one after the other: two at once would cost the quorum."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import replace

from stackctl.app.launching import Waiting
from stackctl.app.observing import Observer
from stackctl.app.project import Project
from stackctl.app.updates import beginnings, settled
from stackctl.domain.desired import Desired
from stackctl.domain.plan import Plan
from stackctl.errors import NotConverged
from stackctl.planning.swarm import placement
from stackctl.rendering.swarm import UPDATE_FILE, swarm_files

READY = 60.0  # seconds for a server to be one of the quorum again
PACE = 0.3


async def renew_servers(project: Project, desired: Desired, plan: Plan, waiting: Waiting) -> Plan:
    """Each server whose definition changed, when the one before has its vote again; the rest of the plan. Where nobody
    leads nothing can be lost, and they are left to the rest.

    Raises `NotConverged` where one does not come back: those after it stay as they are.
    """
    servers = {w.name: w for w in desired.workloads if w.role == "consul" and placement(desired.stack, w).label}
    changed = [operation for operation in plan.of("update") if operation.service in servers]
    if not changed:
        return plan
    async with Observer(project) as observer:
        before = await _absent(observer, servers)
        if None in before:
            return plan
        for operation in changed:
            name, engine = operation.service, project.services
            project.progress.step(operation.instance, f"updating ({operation.cause})")
            began = beginnings(engine)
            project.workspace.write({UPDATE_FILE: swarm_files(desired, only=name)[UPDATE_FILE]})
            await asyncio.to_thread(engine.deploy, project.workspace.folder / UPDATE_FILE, prune=False)
            await settled(engine, {name: servers[name].digest}, began, waiting.timeout, project.progress)
            await _back(observer, servers, before, name)
    return replace(plan, operations=tuple(o for o in plan.operations if o not in changed))


async def _back(observer: Observer, servers: Collection[str], before: frozenset[str | None], name: str) -> None:
    """Until no more is absent than before."""
    deadline = time.monotonic() + READY
    while absent := await _absent(observer, servers) - before:
        if time.monotonic() > deadline:
            lacking = ", ".join(sorted(server or "a leader" for server in absent))
            raise NotConverged(
                "part-not-ready",
                f"{READY:g} s after {name} was updated Consul lacks {lacking}",
                hint="the servers after it stay as they were; see stackctl status",
            )
        await asyncio.sleep(PACE)


async def _absent(observer: Observer, servers: Collection[str]) -> frozenset[str | None]:
    """The servers that do not run or have no vote; None stands for the leader."""
    seen = await observer.observe(with_traffic=False)
    serving = {instance.service for instance in seen.engine.instances if instance.serving}
    gone = {name for name in servers if name not in serving}
    return frozenset((*gone, *seen.weakened, *([None] if seen.registry_lost else [])))
