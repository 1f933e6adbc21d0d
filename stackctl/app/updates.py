"""How far the updates of a Swarm's services are, and what to say of one that came to nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from stackctl.app.waiting import led
from stackctl.domain.instance import Instance
from stackctl.errors import NotConverged, RolledBack, StackctlError
from stackctl.ports import Progress, Services
from stackctl.verifying.updated import updated

PACE = 0.3  # seconds between two looks: a Swarm announces nothing to the outside
LOG_LINES = 10


def beginnings(engine: Services) -> Mapping[str, str]:
    """When the last update of each workload began: the next one has begun when this is another time."""
    return {service.workload: service.updated for service in engine.services()}


async def settled(
    engine: Services, digests: Mapping[str, str], began: Mapping[str, str], timeout: float, progress: Progress
) -> None:
    """Until the Swarm has brought workloads to the definitions with these digests; raises `RolledBack` where it gave
    one up, and `NotConverged` where it is not through after `timeout` seconds."""
    deadline, left = time.monotonic() + timeout, dict(digests)
    while left:
        found = await led(lambda: asyncio.to_thread(engine.services), deadline)
        services = {service.workload: service for service in found}
        tasks = await led(lambda: asyncio.to_thread(engine.observe), deadline)
        for name, digest in tuple(left.items()):
            if name not in services:
                raise StackctlError("service-gone", f"somebody removed {name} meanwhile", hint="stackctl up")
            update = updated(digest, services[name], tasks.of(name), began.get(name, ""))
            if update.failed:
                raise await given_up(engine, name, update.reason)
            if update.over:
                del left[name]
                progress.step(services[name].name, "updated")
        if left and time.monotonic() > deadline:
            message = f"after {timeout:g} s the Swarm has not updated {', '.join(left)}"
            raise NotConverged("update-unfinished", message, hint="it goes on: stackctl ps, stackctl verify")
        if left:
            await asyncio.sleep(PACE)


async def given_up(engine: Services, workload: str, reason: str, task: Instance | None = None) -> RolledBack:
    """The error for an update that came to nothing: why tasks failed, and the end of what one of them said."""
    troubles = await asyncio.to_thread(engine.troubles, workload)
    words = [f"\n    {trouble.instance.id}: {trouble.reason}" for trouble in troubles[-2:]]
    for instance in [task] if task else [trouble.instance for trouble in troubles[-1:]]:
        said = await asyncio.to_thread(engine.last_words, instance, LOG_LINES)
        words += [f"\n    {line}" for line in said.splitlines()]
    hint = "what was there before is in service"
    return RolledBack("rolled-back", f"{workload}: {reason}{''.join(words)}", where=f"services.{workload}", hint=hint)
