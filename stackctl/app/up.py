"""`up`: render, find or build images, launch what is missing, and prove that it serves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from stackctl.app.engines import open_engine
from stackctl.app.images import build_own, ensure_images, known_images
from stackctl.app.launching import Waiting, launch
from stackctl.app.planned import Planned, make_plan
from stackctl.app.ports_free import check_ports
from stackctl.app.project import Project, complete
from stackctl.app.rendered import written_files
from stackctl.app.services import launch_services
from stackctl.domain.plan import Plan
from stackctl.domain.verdict import Verdict
from stackctl.errors import UsageError
from stackctl.planning.placement import placed


@dataclass(frozen=True, slots=True)
class UpResult:
    """What was done, and the proof; None where nobody waited for it."""

    plan: Plan
    verdict: Verdict | None


def up(project: Project, waiting: Waiting, *, images: str) -> UpResult:
    """Launch the stack as its spec says.

    Everything that can be refused is refused before anything is started: images, ports, the Compose file.
    """
    with project.workspace.lock("up"):
        _refuse_second(project)
        project = complete(project)
        tags = known_images(project)
        ensure_images(project, tags, policy=images)
        planned = make_plan(project, tags)
        check_ports(project, planned.seen)
        with written_files(project, planned.desired, tags, placed(planned.seen, planned.plan)):
            build_own(project, tags)
            project.workspace.forget()  # a deploy that was interrupted is over: the spec holds again
            verdict = run(project, planned, waiting)
            # Only now: who was interrupted before is told again by the next `up`.
            project.workspace.remember_told({w.name: w.told for w in planned.desired.workloads if w.told})
            return UpResult(planned.plan, verdict)


def _refuse_second(project: Project) -> None:
    """One stack runs on one engine: a second copy beside the first would answer for it."""
    if project.elsewhere and open_engine(project.elsewhere, project.workspace.folder).observe().instances:
        name, there = project.stack.name, project.elsewhere.engine
        message = f"{name} runs on {there} already"
        raise UsageError(
            "stack-elsewhere",
            message,
            where=project.stack.origin,
            hint=f"`stackctl down {name}` first; without --engine it stays there",
        )


def run(project: Project, planned: Planned, waiting: Waiting) -> Verdict | None:
    """Carry out a plan on a project whose files are written."""
    if project.stack.engine == "swarm":
        return asyncio.run(launch_services(project, planned.desired, planned.plan, waiting))
    return asyncio.run(launch(project, planned.desired, planned.plan, planned.seen, waiting))
