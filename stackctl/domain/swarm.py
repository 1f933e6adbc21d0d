"""A Swarm as a manager tells of it: its nodes, and a stack's services in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stackctl.domain.instance import Instance

# Of the last update of a service; empty where there was none.
UpdateState = Literal[
    "",
    "updating",
    "paused",
    "completed",
    "rollback_started",
    "rollback_paused",
    "rollback_completed",
]


@dataclass(frozen=True, slots=True)
class SwarmNode:
    """A member of the Swarm. `state` is a manager's word (ready, down, unknown, disconnected), `availability` what an
    operator said (active, pause, drain)."""

    id: str
    hostname: str
    address: str
    state: str = "ready"
    availability: str = "active"
    manager: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether new tasks can be placed on it."""
        return self.state == "ready" and self.availability == "active"


@dataclass(frozen=True, slots=True)
class SwarmService:
    """A service as the Swarm has it. `replicas` is 0 for one on every node; `update` and `message` are about its last
    update, which began at `updated` (a text that only differs from update to update). `ports` are those of its tasks'
    nodes that it names itself, by the tasks' own."""

    id: str
    name: str
    workload: str
    digest: str
    replicas: int
    image: str
    update: UpdateState = ""
    message: str = ""
    updated: str = ""
    ports: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A task that ended badly or can't begin: its instance, when that was, and the Swarm's reason."""

    instance: Instance
    at: float
    reason: str
