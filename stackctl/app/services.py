"""Carry out a plan about a Swarm's services: tell the Swarm what is to be, wait until it has done so, and prove it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from stackctl.app.converging import converge
from stackctl.app.launching import Waiting
from stackctl.app.observing import Observer
from stackctl.app.project import Project
from stackctl.app.registering import register_missing
from stackctl.app.renewing_services import renew_servers
from stackctl.app.slots import one_task_a_slot
from stackctl.app.updates import beginnings, settled
from stackctl.app.waiting import led
from stackctl.domain.desired import Desired
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.verdict import Verdict
from stackctl.ports import Services
from stackctl.rendering.swarm import STACK_FILE, UPDATE_FILE, swarm_files

DOING = {
    "create": "creating",
    "update": "updating",
    "scale": "scaling",
    "remove": "removing",
    "place": "choosing its node",
}


async def launch_services(project: Project, desired: Desired, plan: Plan, waiting: Waiting) -> Verdict | None:
    """The whole plan and, where asked for, the proof; without waiting None.

    Raises `RolledBack` where the Swarm took an update back, with the end of what the failed tasks said.
    """
    engine = project.services
    for operation in plan.of("place"):
        _say(project, operation)
        engine.label(operation.node, operation.instance)
    plan, lacking = await renew_servers(project, desired, plan, waiting)
    began = await led(lambda: asyncio.to_thread(beginnings, engine), time.monotonic() + waiting.timeout)
    tell(project, engine, desired, plan)
    if not waiting.wait:
        return None
    workloads = (
        desired.workload(operation.service) for operation in plan.of("update") if operation.service not in lacking
    )
    digests = {workload.name: workload.digest for workload in workloads if workload}
    await settled(engine, digests, began, waiting.timeout, project.progress)
    async with Observer(project) as observer:
        await register_missing(observer, project)
        words = f"waiting for engine, registry, config and traffic to agree for {waiting.stable:g} s"
        project.progress.step("proof", words)
        goal = project.goal()
        async with one_task_a_slot(engine, project.progress):
            return await converge(observer, goal, timeout=waiting.timeout, window=waiting.stable, patient=True)


def tell(project: Project, engine: Services, desired: Desired, plan: Plan) -> None:
    """What services are to be, those of the plan and no others; it returns before the Swarm has seen to it."""
    for operation in plan.of("create", "update", "scale", "remove"):
        _say(project, operation)
    if plan.of("remove"):
        engine.deploy(project.workspace.folder / STACK_FILE, prune=True)
    elif plan.of("create", "update"):
        named = {operation.service for operation in plan.of("create", "update", "scale")}
        part = replace(desired, workloads=tuple(w for w in desired.workloads if w.name in named))
        project.workspace.write({UPDATE_FILE: swarm_files(part)[STACK_FILE]})
        engine.deploy(project.workspace.folder / UPDATE_FILE, prune=False)
    elif scaled := plan.of("scale"):
        wanted = {operation.service: desired.workload(operation.service) for operation in scaled}
        engine.scale({name: workload.replicas for name, workload in wanted.items() if workload})


def _say(project: Project, operation: Operation) -> None:
    project.progress.step(operation.instance, f"{DOING[operation.verb]} ({operation.cause})")
