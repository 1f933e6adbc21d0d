"""What would have to be done, from one look at the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.app.project import Project
from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState
from stackctl.domain.plan import Plan
from stackctl.errors import Unreachable
from stackctl.planning.reconcile import reconcile
from stackctl.planning.swarm_services import reconcile_services
from stackctl.planning.topology import topology
from stackctl.ports import Services


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from."""

    desired: Desired
    seen: EngineState
    images: Mapping[str, str]
    plan: Plan


def make_plan(project: Project, images: Mapping[str, str]) -> Planned:
    """Observe the engine once and reconcile; changes nothing. `images` are tags by component."""
    return planned(project, images, observed(project))


def observed(project: Project) -> EngineState:
    """What there is now, for whoever decides about it; raises `Unreachable` where a machine can't be looked at.

    Without it nobody knows which instances run there, and which of their names are taken.
    """
    seen = project.engine.observe()
    if project.stack.engine == "swarm":
        return seen  # its managers know what they placed where, and place it anew
    for node, reason in sorted(seen.unreachable.items()):
        hint = "nothing was changed; bring it back, or take it out of `hosts` for good"
        raise Unreachable("host-unreachable", f"{node} does not answer: {reason}", where=node, hint=hint)
    return seen


def planned(project: Project, images: Mapping[str, str], seen: EngineState, *, canaries: bool = False) -> Planned:
    """The same for a look that was taken already; `canaries` lets them be."""
    desired = topology(project.stack, images)
    if project.stack.engine == "swarm":
        return Planned(desired, seen, images, in_swarm(desired, project.services))
    return Planned(desired, seen, images, reconcile(desired, seen, project.workspace.told(), canaries=canaries))


def in_swarm(desired: Desired, engine: Services) -> Plan:
    """The plan about a Swarm's services."""
    return reconcile_services(desired, engine.services(), engine.nodes())
