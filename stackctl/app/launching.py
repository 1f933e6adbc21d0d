"""Carry out a plan: make what must be made, prove that it serves, then take away what must go. No decisions here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from stackctl.app.converging import converge
from stackctl.app.draining import Victim, drain
from stackctl.app.observing import Observer, running_balancers
from stackctl.app.project import Project
from stackctl.app.registering import OPERATOR, register_missing
from stackctl.app.renewing import renew_balancers, renew_parts
from stackctl.app.waiting import left_after
from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.verdict import Verdict
from stackctl.errors import NotConverged
from stackctl.ports import Containers, Progress
from stackctl.verifying.joining import Failure, not_succeeded
from stackctl.verifying.judge import judge

STABLE = 0.2  # seconds that agreement must hold; what came before it was waited for already


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether and how long (seconds) to wait for convergence."""

    wait: bool = True
    timeout: float = 120.0
    stable: float = STABLE


def make(engine: Containers, plan: Plan, seen: EngineState, desired: Desired, progress: Progress) -> None:
    """The operations that make or revive instances."""
    here = {instance.id: instance for instance in seen.instances}
    for operation in plan.of("unpause"):
        engine.unpause(here[operation.instance])
        progress.step(operation.instance, f"unpaused ({operation.cause})")
    starting = plan.of("create", "start")
    if starting:
        for operation in starting:
            doing = "creating" if operation.verb == "create" else "starting"
            progress.step(operation.instance, f"{doing} ({operation.cause})")
        first = {workload.name for workload in desired.workloads if workload.first}
        stages = ([o for o in starting if o.service in first], [o for o in starting if o.service not in first])
        for stage in filter(None, stages):
            engine.launch(stage, seen)
        for operation in starting:
            progress.step(operation.instance, "started")


async def configure(observer: Observer, plan: Plan, desired: Desired, progress: Progress) -> None:
    """The operations that tell running parts something new; none of them is restarted."""
    for operation in plan.of("configure"):
        workload = desired.workload(operation.service)
        for text in workload.live.values() if workload else ():
            await observer.tell(operation.instance, text)
        progress.step(operation.instance, f"told ({operation.cause})")


async def take_away(observer: Observer, plan: Plan, seen: EngineState, desired: Desired, progress: Progress) -> None:
    """The operations that drain and remove instances, in the plan's order."""
    leaving = plan.of("drain")
    if leaving:
        await drain(observer, list(_victims(leaving, seen, desired)), progress)
    here = {instance.id: instance for instance in seen.instances}
    for operation in plan.of("remove"):
        await asyncio.to_thread(observer.project.containers.remove, here[operation.instance], 10.0)
        progress.step(operation.instance, f"removed ({operation.cause})")


async def launch(project: Project, desired: Desired, plan: Plan, seen: EngineState, waiting: Waiting) -> Verdict | None:
    """The whole plan and, where asked for, the proof; without waiting None.

    What serves is drained only while what stays serves as well. Raises `NotConverged` where that does not come about:
    then nothing was taken away.
    """
    engine = project.containers
    async with Observer(project) as observer:
        await renew_parts(observer, plan, desired)
        make(engine, plan, seen, desired, project.progress)
        await renew_balancers(observer, plan, desired)
        await configure(observer, plan, desired, project.progress)
        await register_missing(observer, project)
        if plan.of("drain"):
            await _succeeded(observer, plan, waiting)
        if running_balancers(seen):  # a stack that has just been made has no marks
            await lift_marks(observer, plan, project.progress)
        await take_away(observer, plan, seen, desired, project.progress)
        if not waiting.wait:
            return None
        goal = project.goal()
        project.progress.step(
            "proof", f"waiting for engine, registry, config and traffic to agree for {waiting.stable:g} s"
        )
        return await converge(observer, goal, timeout=waiting.timeout, window=waiting.stable, patient=True)


async def _succeeded(observer: Observer, plan: Plan, waiting: Waiting) -> None:
    """Wait until what stays serves, by the proof, whoever made it; raises `NotConverged` where it does not in time."""
    goal = observer.project.goal()

    async def lacks() -> list[Failure]:
        seen = await observer.observe()
        failure = not_succeeded(plan, goal, judge(goal, seen), seen.engine)
        return [failure] if failure else []

    for failure in await left_after(waiting.timeout, lacks):
        raise NotConverged(
            "replacement-not-serving",
            f"after {waiting.timeout:g} s what is to stay does not serve: {failure}",
            hint="what serves goes on serving, nothing was taken away",
        )


async def lift_marks(observer: Observer, plan: Plan, progress: Progress) -> None:
    """Instances that stay must not be left in the drain that a command which was killed had begun; of one that it had
    stopped already, the registration goes."""
    leaving = {operation.instance for operation in plan.of("drain")}
    seen = await observer.observe(with_traffic=False)
    there = {instance.id for instance in seen.engine.instances}
    own = {service.catalog_name for service in observer.project.goal().services if service.given is None}
    for entry in (entry for catalog in seen.catalogs.values() for entry in catalog.entries if entry.draining):
        if entry.id in leaving or entry.drain_reason.startswith(OPERATOR):
            continue
        if entry.service not in own or entry.id in there:
            await observer.maintain(entry, None)
            progress.step(entry.id, "drain mark of an interrupted command lifted")
        elif not entry.owner and not seen.engine.unreachable:  # else its registrator's affair
            await observer.deregister(entry)
            progress.step(entry.id, "registration of an instance that is gone removed")


def _victims(operations: Iterable[Operation], seen: EngineState, desired: Desired) -> Iterable[Victim]:
    instances = {instance.id: instance for instance in seen.instances}
    for operation in operations:
        workload = desired.workload(operation.service)
        grace = workload.stop_grace if workload else 10.0
        yield Victim(instances[operation.instance], grace, operation.cause)
