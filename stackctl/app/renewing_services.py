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
from stackctl.app.waiting import led, left_after
from stackctl.domain.desired import Desired
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.status import ClusterStatus
from stackctl.errors import Leaderless, NotConverged, Unreachable
from stackctl.planning.swarm import placement
from stackctl.ports import Progress
from stackctl.rendering.swarm import UPDATE_FILE, swarm_files
from stackctl.verifying.quorum import Quorum, quorum

READY = 60.0  # seconds for a server to be one of the quorum again


async def renew_servers(
    project: Project, desired: Desired, plan: Plan, waiting: Waiting
) -> tuple[Plan, frozenset[str]]:
    """Each server whose definition changed, when the one before has its vote again; the rest of the plan, and the
    servers in it that nobody should wait for.

    One without a vote is left to the rest: its restart costs nothing, and its node may be gone. Where the quorum can't
    spare a server, it stays as it is and so out of the rest. Where nobody leads nothing can be lost, and where nobody
    can be asked nothing is known: all are left to the rest. Raises `NotConverged` where one does not come back: those
    after it stay as they are.
    """
    new = {operation.service for operation in plan.of("create")}
    servers = {
        w.name: w.digest
        for w in desired.workloads
        if w.role == "consul" and placement(desired.stack, w).label and w.name not in new
    }
    changed = [operation for operation in plan.of("update") if operation.service in servers]
    lacking: set[str] = set()
    held: list[Operation] = []
    renewed: list[Operation] = []
    async with Observer(project) as observer:
        for operation in changed:
            name, deadline = operation.service, time.monotonic() + waiting.timeout
            try:
                before = await led(lambda: _quorum(observer, servers), deadline)
            except Unreachable as error:
                if renewed or isinstance(error, Leaderless):
                    raise
                return plan, frozenset()
            lacking |= before.lacking
            if name in before.lacking:
                continue
            if not before.spares(name):
                held.append(operation)
                continue
            project.progress.step(operation.instance, f"updating ({operation.cause})")
            await _update(project, desired, name, servers[name], waiting.timeout)
            await _back(observer, servers, before, name)
            renewed.append(operation)
    left = [o for o in plan.operations if o not in renewed and o not in held]
    if held:
        # What the spec does not name any more goes with the whole file only, and that names those that have to stay.
        left = [operation for operation in left if operation.verb != "remove"]
        _say_held(project.progress, held, lacking, plan.of("remove"))
    return replace(plan, operations=tuple(left)), frozenset(lacking)


async def _update(project: Project, desired: Desired, name: str, digest: str, timeout: float) -> None:
    """This server alone, until the Swarm is through."""
    engine = project.services
    began = await led(lambda: asyncio.to_thread(beginnings, engine), time.monotonic() + timeout)
    project.workspace.write({UPDATE_FILE: swarm_files(desired, only=name)[UPDATE_FILE]})
    await asyncio.to_thread(engine.deploy, project.workspace.folder / UPDATE_FILE, prune=False)
    await settled(engine, {name: digest}, began, timeout, project.progress)


async def _back(observer: Observer, servers: Collection[str], before: Quorum, name: str) -> None:
    """Until the server has its vote again, and no other has lost its own."""

    async def lacking() -> frozenset[str]:
        try:
            return (await _quorum(observer, servers)).lacks(before, name)
        except Unreachable:
            return frozenset(["a leader"])

    if lost := await left_after(READY, lacking):
        raise NotConverged(
            "part-not-ready",
            f"{READY:g} s after {name} was updated Consul lacks {', '.join(sorted(lost))}",
            hint="the servers after it stay as they were; see stackctl status",
        )


async def _quorum(observer: Observer, servers: Collection[str]) -> Quorum:
    """As it is now; raises `Unreachable` where nobody leads, or nobody can be asked."""
    engine = await asyncio.to_thread(observer.engine.observe)
    return quorum(servers, ClusterStatus.from_json(await observer.ask("cluster", engine=engine)), engine)


def _say_held(
    progress: Progress, held: Collection[Operation], lacking: Collection[str], removed: Collection[Operation]
) -> None:
    names, without = ", ".join(o.service for o in held), ", ".join(sorted(lacking))
    later = f", and {', '.join(o.service for o in removed)} not removed" if removed else ""
    progress.warn(
        f"{names} not updated{later}: Consul lacks the vote of {without} and would lose its quorum; "
        "`stackctl up` again when stackctl status shows it back"
    )
