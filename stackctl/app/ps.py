"""`ps`: the instances of a stack as the engine has them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackctl.app.observing import Observer
from stackctl.app.project import Project
from stackctl.domain.instance import EngineState, Instance


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance, its age in seconds, and why it is not registered although it asks to be."""

    instance: Instance
    age: float
    set_aside: str = ""

    def row(self, *, with_node: bool) -> tuple[str, ...]:
        """The cells of a table."""
        i = self.instance
        where = str(i.endpoint) if i.endpoint else "-"
        ports = ", ".join(map(str, i.published)) or "-"
        condition = f"{i.condition}, set aside: {self.set_aside}" if self.set_aside else i.condition
        node = (i.node,) if with_node else ()
        return (i.id, *node, i.service, i.role, condition, where, ports, _age(self.age))

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        i = self.instance
        return {
            "id": i.id,
            "service": i.service,
            "role": i.role,
            "node": i.node or None,
            "container": i.container,
            "state": i.state,
            "health": i.health,
            "endpoint": str(i.endpoint) if i.endpoint else None,
            "published": list(i.published),
            "image": i.image,
            "age_s": round(self.age),
            "set_aside": self.set_aside or None,
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """Instances, and the machines whose own are not among them, with the reason."""

    instances: tuple[Listed, ...]
    unreachable: Mapping[str, str]


def ps(project: Project) -> Listing:
    """All instances, parts of the stack's own first; raises `Unreachable` where no machine answers."""
    now = time.time()
    order = {"consul": 0, "redis": 0, "sentinel": 0, "registrator": 1, "balancer": 2, "vip": 2}
    seen = project.look()
    instances = sorted(seen.instances, key=lambda i: (order.get(i.role, 3), i.service, i.created))
    aside = asyncio.run(_set_aside(project, seen)) if instances else {}
    listed = tuple(Listed(i, max(0.0, now - i.created), aside.get(i.id, "")) for i in instances)
    return Listing(listed, seen.unreachable)


async def _set_aside(project: Project, seen: EngineState) -> Mapping[str, str]:
    async with Observer(project) as observer:
        return await observer.set_aside(seen)


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"
