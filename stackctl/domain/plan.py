"""A plan: single operations, each with the reason for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verb = Literal[
    "create",
    "start",
    "unpause",
    "recreate",
    "configure",
    "drain",
    "remove",
    # In a Swarm, of whole services: a node gets a label, a service another definition or another number of tasks.
    "place",
    "update",
    "scale",
]


@dataclass(frozen=True, slots=True)
class Operation:
    """One change to one instance and the reason for it; `node` is the machine, where there are several."""

    verb: Verb
    service: str
    instance: str
    cause: str
    node: str = ""

    def __str__(self) -> str:
        where = f" on {self.node}" if self.node else ""
        return f"{self.verb:<8} {self.instance}{where}  ({self.cause})"


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations in the order in which they are carried out; empty when nothing must change."""

    stack: str
    operations: tuple[Operation, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.operations)

    def __str__(self) -> str:
        return "\n".join(map(str, self.operations)) if self.operations else "nothing to do"

    def of(self, *verbs: Verb) -> tuple[Operation, ...]:
        """The operations with one of these verbs, in order."""
        return tuple(operation for operation in self.operations if operation.verb in verbs)
