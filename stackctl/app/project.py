"""A project: one stack, its workspace and its engine, as every use case needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import stackctl
from stackctl.app.engines import located, open_engine
from stackctl.app.workspace import Workspace
from stackctl.domain.image import ImageBuild
from stackctl.domain.instance import EngineState
from stackctl.domain.stack import Service, Stack
from stackctl.domain.verdict import Expectation
from stackctl.errors import Unreachable, UsageError
from stackctl.planning.expected import expectation
from stackctl.planning.topology import component_images
from stackctl.ports import Containers, Engine, Progress, Services
from stackctl.rendering.images import image_build
from stackctl.spec.bundled import bundled
from stackctl.spec.findings import suggestion


@dataclass(frozen=True)
class Project:
    """A validated stack and where its files lie; `elsewhere` is the same stack on the engine that it was launched on,
    where another one is asked for now. `unsaid` is what its engine can't be told."""

    stack: Stack
    workspace: Workspace
    progress: Progress
    elsewhere: Stack | None = None
    unsaid: tuple[str, ...] = ()

    def say_unsaid(self) -> None:
        """For commands that are about the spec; to say it with each look at what runs would be noise."""
        for warning in self.unsaid:
            self.progress.warn(warning)

    @cached_property
    def engine(self) -> Engine:
        """The stack's engine, one connection for the whole command; raises `Unreachable` where none answers."""
        return open_engine(self.stack, self.workspace.folder)

    @property
    def containers(self) -> Containers:
        """The same as an engine that is told of each container, which every one but a Swarm is."""
        return cast(Containers, self.engine)

    @property
    def services(self) -> Services:
        """The same as a Swarm."""
        return cast(Services, self.engine)

    def service(self, name: str) -> Service:
        """The stack's service of that name; raises `UsageError` where it has none."""
        found = self.stack.service(name)
        if found is None:
            known = [service.name for service in self.stack.services]
            hint = suggestion(name, known) or f"services: {', '.join(known)}"
            raise UsageError(
                "no-such-service", f"the stack has no service {name!r}", where=self.stack.origin, hint=hint
            )
        return found

    def look(self) -> EngineState:
        """What there is now, for a listing; raises `Unreachable` where none of the machines answers."""
        seen = self.engine.observe()
        self.say_silent(seen)
        return seen

    def say_silent(self, seen: EngineState) -> None:
        """Tell which machines do not answer; raises `Unreachable` where none does: to list nothing would be a lie."""
        silent = [f"{node} does not answer: {reason}" for node, reason in sorted(seen.unreachable.items())]
        if silent and self.stack.engine == "hosts" and len(silent) == len(seen.nodes):
            where, hint = (
                ", ".join(sorted(seen.unreachable)),
                "start their engines, or look whether `hosts` names the right ones",
            )
            raise Unreachable("host-unreachable", "; ".join(silent), where=where, hint=hint)
        for words in silent:
            self.progress.warn(words)

    @cached_property
    def own_images(self) -> tuple[ImageBuild, ...]:
        """The images that stackctl itself makes for this stack, as they would be made from this installation."""
        folders = {"templates": bundled("templates"), "package": Path(stackctl.__file__).parent}
        return tuple(image_build(component, **folders) for component in component_images(self.stack))

    def scaled(self, replicas: dict[str, int] | None = None) -> Stack:
        """The stack with the replicas and images that `up`, `scale` and `deploy` left, and then these replicas."""
        counts = {**self.workspace.replicas(), **(replicas or {})}
        images = {name: left.image for name, left in self.workspace.deployed().items() if left.image}
        services = tuple(
            replace(s, replicas=counts.get(s.name, s.replicas), image=images.get(s.name, s.image))
            for s in self.stack.services
        )
        return replace(self.stack, services=services)

    def goal(self) -> Expectation:
        """What the proof holds this project's stack against: its replicas, and the canaries beside them."""
        canaries = [name for name, left in self.workspace.deployed().items() if left.canary]
        return expectation(self.stack, {s.name: s.replicas + canaries.count(s.name) for s in self.stack.services})


def complete(project: Project) -> Project:
    """The project with everything that its files need and the spec leaves to stackctl: addresses of hosts, and a
    certificate for https."""
    stack = located(project.stack) if project.stack.engine == "hosts" else project.stack
    if stack.balancer.https is not None and not stack.balancer.certificate:
        from stackctl.app.certificate import certified  # cryptography, for those only who need it

        stack = certified(stack, project.workspace.folder, project.progress)
    return project if stack is project.stack else replace(project, stack=stack)  # it may have its connection already


def workspace_of(stack: Stack, *, bundled: bool) -> Workspace:
    """`.stackctl/<stack>/` beside the spec; for a bundled stack, whose folder may be read-only, in the current one."""
    return Workspace((Path.cwd() if bundled else Path(stack.folder)) / ".stackctl" / stack.name)
