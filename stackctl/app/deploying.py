"""`deploy`: new instances prove themselves before old ones leave; where they do not, everything is as before.

What is done next is decided in planning/deploying.py, from what the engine has; here it is carried out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from stackctl.app.converging import converge
from stackctl.app.deploying_services import deploy_service, plan_update
from stackctl.app.deployment import Deployment, Request, deployment
from stackctl.app.deployment_files import Files
from stackctl.app.draining import Victim, drain
from stackctl.app.failing import Failing, first_difference
from stackctl.app.images import build_own, ensure_images
from stackctl.app.launching import Waiting, lift_marks, make
from stackctl.app.observing import Observer
from stackctl.app.planned import observed
from stackctl.app.project import Project, complete
from stackctl.app.registering import register_missing
from stackctl.app.up import UpResult
from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.observation import Observation
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.verdict import Expectation, Verdict
from stackctl.errors import NotConverged, RolledBack, StackctlError, Unreachable
from stackctl.planning.deploying import Rollout, next_step
from stackctl.verifying.joining import Failure, broken, lacking, refused
from stackctl.verifying.judge import judge

PACE = 0.05
LOG_LINES = 10


def plan_deploy(project: Project, request: Request) -> Plan:
    """What `deploy` would do, if everything goes well; changes nothing."""
    if project.stack.engine == "swarm":
        return plan_update(project, request)
    return deployment(complete(project), request, observed(project)).plan


def deploy(project: Project, request: Request, waiting: Waiting, *, images: str) -> UpResult:
    """Replace the instances of one service, or start, promote or abort its canary.

    Raises `RolledBack` where a new instance does not come to serve, with the end of what it said.
    """
    if project.stack.engine == "swarm":
        return deploy_service(project, request, waiting, images=images)
    with project.workspace.lock("deploy"):
        asked = deployment(complete(project), request, observed(project))
        ensure_images(asked.project, asked.own_images, policy=images)
        rendered = Files.kept(asked)
        if not request.abort:
            rendered.write()
            build_own(asked.project, asked.images)
        return asyncio.run(_deploy(asked, rendered, waiting))


async def _deploy(asked: Deployment, rendered: Files, waiting: Waiting) -> UpResult:
    async with Observer(asked.project) as observer:
        await lift_marks(observer, Plan(asked.rollout.stack), asked.project.progress)
        under_way = _Deploying(asked, rendered, waiting, observer)
        try:
            verdict = await under_way.forward()
        except Failing as failing:
            error = await under_way.back(failing.failure)
            rendered.forget()
            raise error from None
        rendered.forget()
        return UpResult(Plan(asked.rollout.stack, tuple(under_way.done)), verdict)


@dataclass
class _Deploying:
    """One deployment under way: what was done, and which instances every balancer was seen to serve."""

    asked: Deployment
    rendered: Files
    waiting: Waiting
    observer: Observer
    done: list[Operation] = field(default_factory=list)
    proven: set[str] = field(default_factory=set)
    settled: frozenset[str] = frozenset()  # instances that it does not answer for

    async def forward(self) -> Verdict:
        """All steps and the proof; raises `Failing`."""
        # What runs already is not this deployment's affair, unless it is what an interrupted one had begun.
        if not self.rendered.resumed:
            self.settled = frozenset(i.id for i in self.asked.rollout.instances(self.asked.seen))
        self.proven = set(self.settled)
        await self._roll(self.asked.rollout)
        self.rendered.settle()
        verdict = await self._proof(self.waiting.timeout)
        if verdict.outcome != "converged" and any(o.verb == "create" for o in self.done):
            raise Failing(first_difference(verdict))
        return verdict

    async def back(self, failure: Failure) -> StackctlError:
        """Undo it: what is new leaves, what was replaced is made again; the error that tells why."""
        progress, rollout = self.asked.project.progress, self.asked.rollout
        progress.warn(f"{failure}: rolling {rollout.workload} back")
        seen = await asyncio.to_thread(self.observer.engine.observe)
        words = await asyncio.to_thread(self._words, failure.instance, seen)
        mine = [instance for instance in rollout.instances(seen) if self._mine(instance)]
        gone = {instance.container for instance in mine}
        self.rendered.restore(canary=any(i.canary and i.container not in gone for i in seen.of(rollout.workload)))
        others = [instance for instance in rollout.instances(seen) if not self._mine(instance)]
        cause = "it is rolled back"
        # At once, before anything else, and without grace: what it works on ends in an error, and clients on
        # connections that they keep meet it for as long as it runs.
        await self._drain((_leaves(i, cause) for i in mine if i.id == failure.instance), grace=0.0)
        unproven = [i for i in mine if i.id != failure.instance and i.id not in self.proven]
        await self._drain(_leaves(i, cause) for i in unproven)
        undo = replace(
            rollout,
            replicas=len(others) if rollout.canary else rollout.replicas,
            digest=self.rendered.digest if self.rendered.resumed else "",
            replaced=frozenset(gone),
            retire="",
            cause=cause,
        )
        self.settled = frozenset(instance.id for instance in others)
        self.asked, self.proven = replace(self.asked, rollout=undo), set(self.settled)
        try:
            await self._roll(undo)
            verdict = await self._proof(self.waiting.timeout)
        except Failing as second:
            message = f"{failure}; and what was there before does not come back: {second.failure}{words}"
            return NotConverged("rollback-incomplete", message, hint="stackctl status; stackctl up goes on from here")
        again = "" if verdict.outcome == "converged" else f"; it does not converge either: {first_difference(verdict)}"
        return RolledBack(
            "rolled-back",
            f"{failure}{words}",
            where=f"{self.asked.project.stack.origin}: services.{rollout.workload}",
            hint=f"what was there before is in service{again}",
        )

    async def _roll(self, rollout: Rollout) -> None:
        while True:
            seen = await asyncio.to_thread(self.observer.engine.observe)
            self._watch_engine(seen)
            step = next_step(rollout, seen, frozenset(self.proven))
            if not step:
                return
            if step.prove:
                await self._prove(step.prove)
                self.proven |= set(step.prove)
            elif leaving := step.plan.of("drain"):
                await self._drain(leaving)
            else:
                await self._make(step.plan, seen)

    async def _make(self, plan: Plan, seen: EngineState) -> None:
        try:
            asked, engine = self.asked, self.asked.project.containers
            await asyncio.to_thread(make, engine, plan, seen, asked.desired, asked.project.progress)
        except Unreachable:
            raise
        except StackctlError as error:  # an image that can't be had, a port that is taken
            raise Failing(
                Failure("", "engine", f"with the image {self.asked.workload.image}: {error.message}")
            ) from error
        self.done += plan.operations

    async def _drain(self, operations: Iterable[Operation], *, grace: float | None = None) -> None:
        operations = tuple(operations)
        if not operations:
            return
        seen = await asyncio.to_thread(self.observer.engine.observe)
        here = {instance.id: instance for instance in seen.instances}
        grace = self.asked.workload.stop_grace if grace is None else grace
        victims = [Victim(here[o.instance], grace, o.cause) for o in operations if o.instance in here]
        await drain(self.observer, victims, self.asked.project.progress)
        self.proven -= {operation.instance for operation in operations}  # their names are given again
        self.done += operations

    async def _prove(self, ids: tuple[str, ...]) -> None:
        """Until every balancer serves these, by their answers; raises `Failing` as soon as that can't be."""
        goal, traffic, deadline = self._goal(), False, time.monotonic() + self.waiting.timeout
        (service,) = goal.services
        self.asked.project.progress.step(", ".join(ids), "waiting for every balancer to serve it")
        if service.registered:
            await register_missing(self.observer, self.asked.project)
        while True:
            seen = await self.observer.observe(with_traffic=traffic)
            self._watch(seen)
            (verdict,) = judge(goal, seen).services
            missing = lacking(ids, goal, service, verdict, traffic=traffic)
            if missing is None and traffic:
                return
            traffic = missing is None or missing.layer in ("traffic", "dns")
            if missing and time.monotonic() > deadline:
                raise Failing(replace(missing, reason=f"after {self.waiting.timeout:g} s {missing.reason}"))
            if missing:
                await asyncio.sleep(PACE)

    async def _proof(self, timeout: float) -> Verdict:
        stable = self.waiting.stable
        return await converge(
            self.observer, self._goal(), timeout=timeout, window=stable, patient=True, on_observation=self._watch
        )

    def _goal(self) -> Expectation:
        """Of this service alone: what others do is not this deployment's affair."""
        goal = self.asked.project.goal()
        return replace(goal, services=tuple(s for s in goal.services if s.name == self.asked.rollout.workload))

    def _watch(self, seen: Observation) -> None:
        self._watch_engine(seen.engine)
        (service,) = self._goal().services
        if failure := refused(self._ours(seen.engine), service, seen):
            raise Failing(failure)

    def _watch_engine(self, seen: EngineState) -> None:
        ours = self._ours(seen)
        runs = {i.id: self.asked.project.containers.run_of(i) for i in seen.instances if i.id in ours}
        if failure := broken(ours, seen, runs):
            raise Failing(failure)

    def _ours(self, seen: EngineState) -> tuple[str, ...]:
        """The new instances that this deployment answers for."""
        return tuple(i.id for i in self.asked.rollout.new(seen) if self._mine(i))

    def _mine(self, instance: Instance) -> bool:
        return instance.id not in self.settled and not self.asked.rollout.outdated(instance)

    def _words(self, id: str, seen: EngineState) -> str:
        texts = (self.observer.engine.last_words(i, LOG_LINES) for i in seen.instances if i.id == id)
        return "".join(f"\n    {line}" for text in texts for line in text.splitlines())


def _leaves(instance: Instance, cause: str) -> Operation:
    return Operation("drain", instance.service, instance.id, cause, instance.node)
