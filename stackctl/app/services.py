"""Carry out a plan about a Swarm's services: tell the Swarm what is to be, wait until it has done so, and prove it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from stackctl.app.converging import converge
from stackctl.app.launching import Waiting, lift_marks
from stackctl.app.observing import Observer, running_balancers
from stackctl.app.project import Project
from stackctl.app.registering import register_missing
from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.plan import Plan
from stackctl.domain.verdict import Verdict
from stackctl.errors import NotConverged, RolledBack, StackctlError
from stackctl.ports import Progress, Services
from stackctl.rendering.swarm import STACK_FILE
from stackctl.verifying.updated import updated

PACE = 0.3  # seconds between two looks: a Swarm announces nothing to the outside
LOG_LINES = 10
DOING = {
    "create": "creating",
    "update": "updating",
    "scale": "scaling",
    "remove": "removing",
    "place": "choosing its node",
}


async def launch_services(
    project: Project, desired: Desired, plan: Plan, seen: EngineState, waiting: Waiting
) -> Verdict | None:
    """The whole plan and, where asked for, the proof; without waiting None.

    Raises `RolledBack` where the Swarm took an update back, with the end of what the failed tasks said.
    """
    engine = project.services
    began = beginnings(engine)
    tell(project, engine, desired, plan)
    if not waiting.wait:
        return None
    workloads = (desired.workload(operation.service) for operation in plan.of("update"))
    digests = {workload.name: workload.digest for workload in workloads if workload}
    await settled(engine, digests, began, waiting.timeout, project.progress)
    async with Observer(project) as observer:
        await register_missing(observer, project)
        if running_balancers(seen):  # a stack that has just been made has no marks
            await lift_marks(observer, Plan(desired.stack), project.progress)
        words = f"waiting for engine, registry, config and traffic to agree for {waiting.stable:g} s"
        project.progress.step("proof", words)
        goal = project.goal()
        return await converge(observer, goal, timeout=waiting.timeout, window=waiting.stable, patient=True)


def tell(project: Project, engine: Services, desired: Desired, plan: Plan) -> None:
    """The Swarm's part of a plan; it returns before the Swarm has done it."""
    for operation in plan.operations:
        project.progress.step(operation.instance, f"{DOING[operation.verb]} ({operation.cause})")
    for operation in plan.of("place"):
        engine.label(operation.node, operation.instance)
    if plan.of("create", "update", "remove"):
        engine.deploy(project.workspace.folder / STACK_FILE, prune=True)
    elif scaled := plan.of("scale"):
        wanted = {operation.service: desired.workload(operation.service) for operation in scaled}
        engine.scale({name: workload.replicas for name, workload in wanted.items() if workload})


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
        services = {service.workload: service for service in await asyncio.to_thread(engine.services)}
        tasks = await asyncio.to_thread(engine.observe)
        for name, digest in tuple(left.items()):
            if name not in services:
                raise StackctlError("service-gone", f"somebody removed {name} meanwhile", hint="stackctl up")
            found = updated(digest, services[name], tasks.of(name), began.get(name, ""))
            if found.failed:
                raise await given_up(engine, name, found.reason)
            if found.over:
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
