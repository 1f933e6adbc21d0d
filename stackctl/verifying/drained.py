"""Whether instances that are leaving are out of every balancer, and whether anything still works on them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.domain.instance import Instance
from stackctl.domain.observation import Observation


@dataclass(frozen=True, slots=True)
class Leaving:
    """Instances on their way out, by the endpoint where they answer."""

    ids: frozenset[str]
    endpoints: frozenset[str]

    @classmethod
    def of(cls, instances: Sequence[Instance]) -> Leaving:
        """What must be gone from configs and connections before these may stop."""
        endpoints = (str(instance.endpoint) for instance in instances if instance.endpoint)
        return cls(frozenset(instance.id for instance in instances), frozenset(endpoints))


def still_served(leaving: Leaving, seen: Observation) -> list[str]:
    """In words, which running configs still send traffic to a leaving instance; a balancer that can't be asked may."""
    found = []
    for balancer in seen.balancers:
        if balancer.unreachable:
            found.append(f"{balancer.id} can't be asked: {balancer.unreachable}")
            continue
        backends = {b for members in balancer.backends.values() for b in members}
        ids = sorted({b.id for b in backends if b.id in leaving.ids or str(b.endpoint) in leaving.endpoints})
        if ids:
            agent = f" ({balancer.agent})" if balancer.agent else ""
            found.append(f"{balancer.id} still serves {', '.join(ids)}{agent}")
    return found


def still_working(leaving: Leaving, seen: Observation) -> list[str]:
    """In words, which connections to leaving instances are open, and which old workers could still open one."""
    found = []
    for balancer in seen.balancers:
        if balancer.unreachable and leaving.endpoints:
            found.append(f"{balancer.id} can't be asked: {balancer.unreachable}")
        open_to = {endpoint: balancer.connections.get(endpoint, 0) for endpoint in sorted(leaving.endpoints)}
        found += [
            f"{balancer.id} has {count} connections to {endpoint}" for endpoint, count in open_to.items() if count
        ]
        if leaving.endpoints and balancer.shutting_down:
            found.append(f"{balancer.id} has {balancer.shutting_down} workers of older revisions finishing")
    return found
