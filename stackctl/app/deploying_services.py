"""`deploy` in a Swarm: its own rolling update, watched; what it takes back, or what is not proven, is exit 5."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stackctl.app.converging import converge
from stackctl.app.deployment import Deployment, Request, deployment
from stackctl.app.deployment_files import Files
from stackctl.app.failing import Failing, first_difference
from stackctl.app.images import build_own, ensure_images
from stackctl.app.launching import Waiting
from stackctl.app.observing import Observer
from stackctl.app.project import Project, complete
from stackctl.app.registering import register_missing
from stackctl.app.slots import one_task_a_slot
from stackctl.app.up import UpResult
from stackctl.app.updates import beginnings, given_up, settled
from stackctl.app.waiting import led
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import Observation
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.verdict import Expectation, Verdict
from stackctl.errors import NotConverged, RolledBack, UsageError
from stackctl.planning.swarm_services import service_name
from stackctl.rendering.swarm import UPDATE_FILE, swarm_files
from stackctl.verifying.joining import Failure, refused


def plan_update(project: Project, request: Request) -> Plan:
    """What it would do; changes nothing."""
    return _plan(_asked(project, request, project.engine.observe()))


def deploy_service(project: Project, request: Request, waiting: Waiting, *, images: str) -> UpResult:
    """Let the Swarm replace a service's tasks, `parallel` at once, new ones first.

    Raises `RolledBack` where the Swarm or the proof finds that new ones do not serve.
    """
    with project.workspace.lock("deploy"):
        asked = _asked(project, request, project.engine.observe())
        ensure_images(asked.project, asked.own_images, policy=images)
        rendered = Files.kept(asked)
        rendered.write()
        build_own(asked.project, asked.images)
        part = swarm_files(asked.desired, only=request.service, parallel=request.parallel)
        project.workspace.write({UPDATE_FILE: part[UPDATE_FILE]})
        try:
            verdict = asyncio.run(_Updating(asked, waiting).run())
        except RolledBack:
            rendered.restore(canary=False)
            rendered.forget()
            raise
        rendered.settle()
        rendered.forget()
        return UpResult(_plan(asked), verdict)


@dataclass(frozen=True)
class _Updating:
    """One update under way."""

    asked: Deployment
    waiting: Waiting

    async def run(self) -> Verdict:
        """The update and the proof; raises `RolledBack`."""
        asked, name = self.asked, self.asked.request.service
        engine, progress = asked.project.services, asked.project.progress
        began = beginnings(engine)
        for operation in _plan(asked).operations:
            progress.step(operation.instance, f"updating ({operation.cause})")
            if any(
                service.workload == name and service.digest == asked.workload.digest for service in engine.services()
            ):
                await asyncio.to_thread(engine.replace, name)
            else:
                file = asked.project.workspace.folder / UPDATE_FILE
                await asyncio.to_thread(engine.deploy, file, prune=False)
        async with Observer(asked.project) as observer:
            try:
                await self._watched(observer, began)
                await register_missing(observer, asked.project)
                verdict = await self._proof(observer)
            except Failing as failing:
                raise await self._back(observer, failing.failure) from None
            except RolledBack as error:  # by the Swarm itself
                raise await self._proven_again(observer, error) from None
            if verdict.outcome == "converged" or not _plan(asked):
                return verdict
            raise await self._back(observer, first_difference(verdict))

    async def _watched(self, observer: Observer, began: Mapping[str, str]) -> None:
        """Until the Swarm is through, with an eye on what new instances answer meanwhile."""
        asked = self.asked
        digests = {operation.service: asked.workload.digest for operation in _plan(asked).operations}
        engine, progress = asked.project.services, asked.project.progress
        deadline = time.monotonic() + self.waiting.timeout
        swarm = asyncio.ensure_future(settled(engine, digests, began, self.waiting.timeout, progress))
        try:
            while not swarm.done():
                self._check(await led(observer.observe, deadline))
                await asyncio.wait({swarm}, timeout=0.2)
        finally:
            swarm.cancel()
            await asyncio.wait({swarm})
        try:
            await swarm
        except NotConverged as late:
            raise Failing(Failure("", "engine", late.message)) from late

    async def _proof(self, observer: Observer) -> Verdict:
        goal, waiting = self._goal(), self.waiting
        return await converge(
            observer,
            goal,
            timeout=waiting.timeout,
            window=waiting.stable,
            patient=True,
            on_observation=self._check,
        )

    async def _back(self, observer: Observer, failure: Failure) -> RolledBack:
        """Undo it; the error that tells why."""
        name, engine = self.asked.request.service, self.asked.project.services
        self.asked.project.progress.warn(f"{failure}: rolling {name} back")
        tasks = (await asyncio.to_thread(engine.observe)).of(name)
        task = next((instance for instance in tasks if instance.id == failure.instance), None)
        error = await given_up(engine, name, str(failure), task)
        began = beginnings(engine)
        await asyncio.to_thread(engine.rollback, name)
        before = next((instance.digest for instance in self.asked.seen.of(name)), "")
        await settled(engine, {name: before}, began, self.waiting.timeout, self.asked.project.progress)
        return await self._proven_again(observer, error)

    async def _proven_again(self, observer: Observer, error: RolledBack) -> RolledBack:
        """The same error, once what was there before serves again; if it does not, that is said too."""
        timeout, window = self.waiting.timeout, self.waiting.stable
        engine, progress = self.asked.project.services, self.asked.project.progress
        async with one_task_a_slot(engine, progress):
            verdict = await converge(observer, self._goal(), timeout=timeout, window=window, patient=True)
        if verdict.outcome != "converged":
            error.hint += f"; it does not converge either: {first_difference(verdict)}"
        return error

    def _check(self, seen: Observation) -> None:
        (service,) = self._goal().services
        before = {instance.id for instance in self.asked.seen.instances}
        new = [
            i.id for i in seen.engine.of(service.name) if i.id not in before and i.digest == self.asked.workload.digest
        ]
        if failure := refused(new, service, seen):
            raise Failing(failure)

    def _goal(self) -> Expectation:
        """Of this service alone: what others do is not this deployment's affair."""
        goal = self.asked.project.goal()
        return replace(goal, services=tuple(s for s in goal.services if s.name == self.asked.request.service))


def _asked(project: Project, request: Request, seen: EngineState) -> Deployment:
    if request.canary or request.promote or request.abort:
        message = "a Swarm's service has one definition, so that no canary can stand beside the others"
        raise UsageError(
            "canary-in-swarm",
            message,
            where=f"services.{request.service}",
            hint="leave --canary, --promote and --abort out",
        )
    return deployment(complete(project), request, seen)


def _plan(asked: Deployment) -> Plan:
    """One operation, where there is anything to replace."""
    name = asked.request.service
    old = [instance for instance in asked.seen.of(name) if instance.digest != asked.workload.digest]
    cause = asked.rollout.cause if old or asked.request.force else ""
    operation = Operation("update", name, service_name(asked.desired.stack, name), cause)
    return Plan(asked.desired.stack, (operation,) if cause else ())
