"""Parts with an identity of their own (Consul nodes, agents, balancers) are made anew in place, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from stackctl.app.observing import Observer
from stackctl.app.passing_on import has_heir, pass_on
from stackctl.app.waiting import left_after
from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState
from stackctl.domain.plan import Operation, Plan
from stackctl.errors import NotConverged
from stackctl.planning.entry import BALANCER, routed_services
from stackctl.planning.vip import VIP, holder_last
from stackctl.verifying.following import behind

READY = 60.0  # seconds for a part that was made


async def renew_parts(observer: Observer, plan: Plan, desired: Desired) -> None:
    """Every part that is no balancer, the keepalived whose machine has the virtual address last.

    Raises `NotConverged` where one does not come back.
    """
    parts = [operation for operation in plan.of("recreate") if operation.service != BALANCER]
    if any(operation.service == VIP for operation in parts):
        parts = holder_last(parts, await observer.keepers(await asyncio.to_thread(observer.engine.observe)))
    await _renew(observer, parts, desired)


async def renew_balancers(observer: Observer, plan: Plan, desired: Desired) -> None:
    """Each only when the one before serves again: healthy, with exactly what the registry has, which must run by now.

    Raises `NotConverged` where one does not: those after it stay as they are and go on serving.
    """
    renewed = [operation for operation in plan.of("recreate") if operation.service == BALANCER]
    if renewed:  # one that has just been started may be the only one to serve meanwhile
        for operation in plan.of("create", "start", "unpause"):
            if operation.service == BALANCER:
                await _serves_again(observer, operation.instance)
    await _renew(observer, renewed, desired)


async def _renew(observer: Observer, operations: Iterable[Operation], desired: Desired) -> None:
    for operation in operations:
        workload = desired.workload(operation.service)
        grace = workload.stop_grace if workload else 0.0
        if operation.service == BALANCER:
            await pass_on(observer, operation)
        if operation.service == VIP:  # it passes the address on as it ends: somebody must be ready for it
            await has_heir(observer, operation.node)
        observer.project.progress.step(operation.instance, f"making it anew ({operation.cause})")
        await asyncio.to_thread(observer.project.containers.recreate, operation, grace)
        await _serves_again(observer, operation.instance)


async def _serves_again(observer: Observer, id: str) -> None:
    if lacking := await left_after(READY, lambda: _lacking(observer, id)):
        raise NotConverged(
            "part-not-ready",
            f"after {READY:g} s {id} does not serve: {lacking}",
            hint="what was to follow stays as it was; see stackctl status",
        )


async def _lacking(observer: Observer, id: str) -> str:
    """In words, what it lacks to serve; empty where nothing."""
    state = await asyncio.to_thread(observer.engine.observe)
    found = next((instance for instance in state.instances if instance.id == id), None)
    if found is None or not found.serving:
        return f"it is {found.condition if found else 'gone'}"
    if found.role == "vip":  # one that can't run with what it was given is asked in vain
        (keeper,) = await observer.keepers(EngineState((found,)))
        return keeper.unreachable
    if found.role != "balancer":
        return ""
    seen = await observer.observe(with_traffic=False)
    return behind(id, routed_services(observer.project.stack), seen)
