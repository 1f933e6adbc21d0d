"""`ps`: the instances of a stack as the engine has them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from stackctl.app.project import Project
from stackctl.domain.instance import Instance


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance and its age in seconds."""

    instance: Instance
    age: float

    def row(self) -> tuple[str, ...]:
        """The cells of a table."""
        i = self.instance
        where = str(i.endpoint) if i.endpoint else "-"
        ports = ", ".join(map(str, i.published)) or "-"
        return (i.id, i.service, i.role, i.condition, where, ports, _age(self.age))

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        i = self.instance
        return {
            "id": i.id,
            "service": i.service,
            "role": i.role,
            "container": i.container,
            "state": i.state,
            "health": i.health,
            "endpoint": str(i.endpoint) if i.endpoint else None,
            "published": list(i.published),
            "image": i.image,
            "age_s": round(self.age),
        }


def ps(project: Project) -> tuple[Listed, ...]:
    """All instances, parts of the stack's own first."""
    now = time.time()
    order = {"consul": 0, "redis": 0, "sentinel": 0, "registrator": 1, "balancer": 2}
    instances = sorted(project.engine.observe().instances, key=lambda i: (order.get(i.role, 3), i.service, i.created))
    return tuple(Listed(instance, max(0.0, now - instance.created)) for instance in instances)


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
