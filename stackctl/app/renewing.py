"""Parts with an identity of their own (Consul nodes, agents, balancers) are made anew in place, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from stackctl.app.observing import Observer
from stackctl.app.passing_on import pass_on
from stackctl.app.waiting import left_after
from stackctl.domain.desired import Desired
from stackctl.domain.plan import Operation, Plan
from stackctl.errors import NotConverged
from stackctl.planning.entry import BALANCER, routed_services
from stackctl.verifying.following import behind

READY = 60.0  # seconds for a part that was made


async def renew_parts(observer: Observer, plan: Plan, desired: Desired) -> None:
    """Every part that is no balancer; raises `NotConverged` where one does not come back."""
    await _renew(observer, (o for o in plan.of("recreate") if o.service != BALANCER), desired)


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
    if found.role != "balancer":
        return ""
    seen = await observer.observe(with_traffic=False)
    return behind(id, routed_services(observer.project.stack), seen)
