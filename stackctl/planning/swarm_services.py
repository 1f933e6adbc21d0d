"""What must happen for a Swarm's services to become what a stack wants. Pure.

A Swarm is told what is to be, and makes tasks of it by itself: operations are about services, not about instances.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackctl.domain.desired import Desired
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.swarm import SwarmNode, SwarmService
from stackctl.planning.swarm import placement, places


def service_name(stack: str, workload: str) -> str:
    """As a Swarm calls a service of a stack."""
    return f"{stack}_{workload}"


def reconcile_services(desired: Desired, seen: Iterable[SwarmService], nodes: Iterable[SwarmNode]) -> Plan:
    """The operations: nodes are chosen first, then come the workloads in their order, and last what the spec does not
    name any more.

    Raises `UsageError` where there are not nodes enough.
    """
    here = {service.workload: service for service in seen}
    return Plan(desired.stack, (*places(desired, nodes), *_wanted(desired, here), *_orphans(desired, here.values())))


def _wanted(desired: Desired, here: dict[str, SwarmService]) -> Iterator[Operation]:
    for workload in desired.workloads:
        name, service = service_name(desired.stack, workload.name), here.get(workload.name)
        if service is None:
            yield Operation("create", workload.name, name, "there is no such service")
        elif service.digest != workload.digest:
            yield Operation("update", workload.name, name, f"the definition of {workload.name} changed")
        elif service.replicas != workload.replicas and not placement(desired.stack, workload).everywhere:
            cause = f"{workload.name} has {_count(service.replicas)}, the stack wants {workload.replicas}"
            yield Operation("scale", workload.name, name, cause)


def _orphans(desired: Desired, services: Iterable[SwarmService]) -> Iterator[Operation]:
    for service in sorted(services, key=lambda service: service.name):
        if desired.workload(service.workload) is None:
            cause = f"{service.workload} is not in the spec any more"
            yield Operation("remove", service.workload, service.name, cause)


def _count(number: int) -> str:
    return f"{number} instance" if number == 1 else f"{number} instances"
