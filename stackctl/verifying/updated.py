"""Whether a Swarm has carried out the update of a service, or given it up, and what it has left behind. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.domain.instance import Instance
from stackctl.domain.swarm import SwarmService

UNDER_WAY = ("updating", "rollback_started")


@dataclass(frozen=True, slots=True)
class Update:
    """How far an update is; `failed` once the Swarm has taken it back or left it half done, for a `reason`."""

    over: bool = False
    failed: bool = False
    reason: str = ""


def updated(digest: str, service: SwarmService, tasks: Sequence[Instance], began: str) -> Update:
    """How far the update to a definition with this digest is; `began` is when the one before it did.

    A service that is rolled back is again what it was before, labels and all. How the last update went is told besides,
    but that is about the one before until the Swarm begins, and it does not begin where there are no tasks.
    """
    state = service.update if service.updated != began else ""
    if service.digest != digest:
        if state in UNDER_WAY:
            return Update(reason="it is being rolled back")
        return Update(failed=True, reason=f"the Swarm rolled it back ({service.message or 'it is what it was'})")
    if state in ("paused", "rollback_paused"):
        return Update(failed=True, reason=f"the Swarm stopped half-way ({service.message})")
    done = state not in UNDER_WAY and all(task.digest == digest for task in tasks)
    return Update(over=done and (bool(state) or not tasks))


def doubled(service: SwarmService, tasks: Sequence[Instance]) -> bool:
    """Whether a slot has two tasks of the service's definition, and the Swarm wants both and works on neither."""
    slots = [task.id.rpartition(".")[0] for task in tasks if task.state == "running" and task.digest == service.digest]
    return service.update not in UNDER_WAY and len(slots) > len(set(slots))
