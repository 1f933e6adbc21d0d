"""Carry out a plan: make what must be made, prove that it serves, then take away what must go. No decisions here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from stackctl.app.converging import converge
from stackctl.app.draining import Victim, drain
from stackctl.app.observing import Observer, running_balancers
from stackctl.app.project import Project
from stackctl.app.registering import OPERATOR, register_missing
from stackctl.app.renewing import renew_balancers, renew_parts
from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.verdict import Expectation, Verdict
from stackctl.errors import NotConverged
from stackctl.ports import Containers, Progress

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

    What is to be drained goes only after what replaces it serves. Raises `NotConverged` where that does not happen:
    then nothing was taken away.
    """
    engine = project.containers
    async with Observer(project) as observer:
        await renew_parts(observer, plan, desired)
        make(engine, plan, seen, desired, project.progress)
        await renew_balancers(observer, plan, desired)
        await configure(observer, plan, desired, project.progress)
        await register_missing(observer, project)
        if plan.of("drain") and plan.of("create", "start", "unpause"):
            await _served_before_draining(observer, project, waiting)
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


async def _served_before_draining(observer: Observer, project: Project, waiting: Waiting) -> None:
    state = await asyncio.to_thread(observer.engine.observe)
    goal = _everything(project.goal(), state)
    verdict = await converge(observer, goal, timeout=waiting.timeout, window=0.0, patient=True)
    if verdict.outcome != "converged":
        name, divergence = next(iter(verdict.judgement.divergences))
        raise NotConverged(
            "replacement-not-serving",
            f"{name}: {divergence.layer}: {divergence.reason}",
            hint="the old instances go on serving, nothing was taken away",
        )


async def lift_marks(observer: Observer, plan: Plan, progress: Progress) -> None:
    """Instances that stay must not be left in the drain that a command which was killed had begun."""
    leaving = {operation.instance for operation in plan.of("drain")}
    catalogs = (await observer.observe(with_traffic=False)).catalogs.values()
    for entry in (entry for catalog in catalogs for entry in catalog.entries if entry.draining):
        if entry.id not in leaving and not entry.drain_reason.startswith(OPERATOR):
            await observer.maintain(entry, None)
            progress.step(entry.id, "drain mark of an interrupted command lifted")


def _everything(goal: Expectation, state: EngineState) -> Expectation:
    """The expectation while old and new instances serve together."""
    services = (replace(s, replicas=len([i for i in state.of(s.name) if i.state == "running"])) for s in goal.services)
    return replace(goal, services=tuple(services))


def _victims(operations: Iterable[Operation], seen: EngineState, desired: Desired) -> Iterable[Victim]:
    instances = {instance.id: instance for instance in seen.instances}
    for operation in operations:
        workload = desired.workload(operation.service)
        grace = workload.stop_grace if workload else 10.0
        yield Victim(instances[operation.instance], grace, operation.cause)
