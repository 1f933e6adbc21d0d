"""What would have to be done, from one look at the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.app.project import Project
from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState
from stackctl.domain.plan import Plan
from stackctl.planning.reconcile import reconcile
from stackctl.planning.topology import topology


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from."""

    desired: Desired
    seen: EngineState
    plan: Plan


def make_plan(project: Project, images: Mapping[str, str]) -> Planned:
    """Observe the engine once and reconcile; changes nothing. `images` are tags by component."""
    desired = topology(project.stack, images)
    seen = project.engine().observe()
    return Planned(desired, seen, reconcile(desired, seen))
