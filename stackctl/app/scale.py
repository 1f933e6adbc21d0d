"""`scale`: more or fewer instances of services, without losing a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stackctl.app.images import running_images
from stackctl.app.launching import Waiting
from stackctl.app.planned import Planned, observed, planned
from stackctl.app.project import Project, complete
from stackctl.app.rendered import manifest, written_files
from stackctl.app.up import UpResult, run
from stackctl.domain.plan import Plan
from stackctl.errors import UsageError
from stackctl.planning.placement import placed


def scaled(project: Project, changes: Mapping[str, int]) -> Project:
    """The project with these numbers of instances; raises `UsageError` for a service that it does not have."""
    for name in changes:
        project.service(name)
    stack, launched = project.scaled(dict(changes)), project.workspace.images()
    # Another image is `deploy`'s affair, which can take it back.
    services = tuple(
        replace(s, image=replace(s.image, value=launched.get(s.name, s.image.value)))
        if s.image.kind == "reference"
        else s
        for s in stack.services
    )
    return replace(project, stack=replace(stack, services=services))


def plan_scale(project: Project, services: Mapping[str, int]) -> Planned:
    """The operations for these services alone; whatever else has changed is left to `up`."""
    seen = observed(project)
    whole = planned(project, running_images(project, seen), seen, canaries=True)
    operations = tuple(operation for operation in whole.plan.operations if operation.service in services)
    return replace(whole, plan=Plan(whole.plan.stack, operations))


def scale(project: Project, changes: Mapping[str, int], waiting: Waiting) -> UpResult:
    """Start new instances and wait until every balancer serves them; drain surplus ones, then stop exactly those."""
    with project.workspace.lock("scale"):
        project = complete(scaled(project, changes))
        plan = plan_scale(project, changes)
        _refuse_unlaunched(project, plan)
        # Parts are not told anything by `scale`, and canaries stay.
        text = manifest(plan.desired, project.workspace.deployed(), project.workspace.told())
        with written_files(project, plan.desired, plan.images, placed(plan.seen, plan.plan), text):
            return UpResult(plan.plan, run(project, plan, waiting))


def _refuse_unlaunched(project: Project, plan: Planned) -> None:
    if not any(instance.role == "balancer" for instance in plan.seen.instances):
        name = project.stack.name
        where = project.stack.origin
        raise UsageError("stack-not-up", f"the stack {name} is not up", where=where, hint=f"stackctl up {name}")
