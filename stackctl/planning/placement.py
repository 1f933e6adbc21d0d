"""Where new instances go, and under which names: the machine with the fewest of their service first. Pure.

The same facts always give the same places, so that whoever asks what is missing names what `up` would make.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.domain.desired import SPREAD, Desired
from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class Place:
    """A new instance's id, and the machine that it runs on; empty where there is only one."""

    id: str
    node: str = ""


def places(
    stack: str,
    service: str,
    nodes: Sequence[str],
    existing: Iterable[Instance],
    load: Counter[str],
    *,
    staying: Iterable[Instance] | None = None,
) -> Iterator[Place]:
    """Endlessly, one new instance of a service after the other, beside the existing ones; only those that are `staying`
    count where some will leave.

    Of machines with equally few instances of the service, the one that has less of anything is taken, and then the
    first. `load` is what each machine has, and counts on. On each machine numbers go on from the highest in use, as the
    engine's own do.
    """
    existing = tuple(existing)
    numbers = Counter[str]()
    for instance in existing:
        numbers[instance.node] = max(numbers[instance.node], number_of(instance.id))
    members = Counter(instance.node for instance in (existing if staying is None else staying))
    while True:
        node = min(nodes, key=lambda name: (members[name], load[name], nodes.index(name))) if nodes else ""
        for count in (members, numbers, load):
            count[node] += 1
        yield Place("-".join(filter(None, (stack, node, service, str(numbers[node])))), node)


def load_of(seen: EngineState) -> Counter[str]:
    """How many instances and balancers each machine has; the parts that every machine has do not count."""
    return Counter(instance.node for instance in seen.instances if instance.role in SPREAD)


def number_of(id: str) -> int:
    """The number that an instance's id ends in."""
    tail = id.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0


def placed(seen: EngineState, plan: Plan) -> Mapping[tuple[str, str], int]:
    """How many instances each machine has of each service when the plan is carried out."""
    counts = Counter((instance.node, instance.service) for instance in seen.instances)
    counts.update((operation.node, operation.service) for operation in plan.of("create"))
    counts.subtract((operation.node, operation.service) for operation in plan.of("drain", "remove"))
    return counts


def part(desired: Desired, node: str, counts: Mapping[tuple[str, str], int]) -> Desired:
    """What one machine has of a stack: a project of its own."""
    own = tuple(
        replace(workload, replicas=counts.get((node, workload.name), 0)) if workload.role in SPREAD else workload
        for workload in desired.workloads
        if node in workload.nodes
    )
    return replace(desired, workloads=own, project=project(desired.stack, node))


def project(stack: str, node: str) -> str:
    """The name of a machine's project, with which its containers' names begin."""
    return f"{stack}-{node}"
