"""Reconcile: what must happen for what the engine has to become what the stack wants. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from stackctl.domain.desired import Desired, Workload
from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.plan import Operation, Plan, Verb


def reconcile(
    desired: Desired, seen: EngineState, told: Mapping[str, str] | None = None, *, canaries: bool = False
) -> Plan:
    """The operations, in order: what makes instances first, then what takes them away.

    An instance of a service whose definition changed gets a replacement before it is drained; parts with an identity of
    their own (Consul nodes, agents, balancers) are made anew in place, one after the other. `told` are the digests, by
    workload, of what running parts were told last; a part of which nothing is known is told again. Canaries go, unless
    `canaries` lets them be.
    """
    operations = [
        operation
        for workload in desired.workloads
        for operation in _workload(desired.stack, workload, seen, canaries=canaries)
    ]
    operations += _untold(desired, seen, operations, told or {})
    operations += _orphans(desired, seen)
    building = [operation for operation in operations if operation.verb not in ("drain", "remove")]
    return Plan(desired.stack, (*building, *(o for o in operations if o.verb in ("drain", "remove"))))


def _untold(
    desired: Desired, seen: EngineState, operations: Iterable[Operation], told: Mapping[str, str]
) -> Iterator[Operation]:
    operations = list(operations)
    anew = {operation.instance for operation in operations if operation.verb not in ("start", "unpause")}
    back = {operation.instance for operation in operations} - anew
    for workload in desired.workloads:
        if workload.told != told.get(workload.name, ""):
            for instance in seen.of(workload.name):
                if instance.id not in anew and (instance.state == "running" or instance.id in back):
                    yield Operation("configure", workload.name, instance.id, "what it is told changed")


def _workload(stack: str, workload: Workload, seen: EngineState, *, canaries: bool) -> Iterator[Operation]:
    existing = seen.of(workload.name)
    if workload.role == "service":
        counted = tuple(instance for instance in existing if not (canaries and instance.canary))
        yield from _service(workload, counted, _numbers(stack, workload, existing))
        return
    kept = existing[: workload.replicas]
    for instance in kept:
        if instance.digest == workload.digest:
            yield from _revive(instance)
    # The last first: it gets its number back while the others go on, and what is left is up to date then.
    for instance in sorted(kept, key=lambda i: -_number(i.id)):
        if instance.digest != workload.digest:
            yield Operation("recreate", workload.name, instance.id, f"the definition of {workload.name} changed")
    yield from _missing(stack, workload, existing, workload.replicas - len(existing))
    yield from _surplus(workload, existing[workload.replicas :], len(existing))


def _service(workload: Workload, existing: tuple[Instance, ...], numbers: Iterator[str]) -> Iterator[Operation]:
    current = [instance for instance in existing if instance.digest == workload.digest]
    outdated = [instance for instance in existing if instance.digest != workload.digest]
    kept = current[: workload.replicas]
    for instance in kept:
        yield from _revive(instance)
    missing = workload.replicas - len(kept)
    replaced = min(missing, len(outdated))
    for instance in outdated[:replaced]:
        yield Operation("create", workload.name, next(numbers), f"replaces {instance.id}, whose definition changed")
    for _ in range(missing - replaced):
        cause = f"{workload.name} has {_count(len(existing))}, the stack wants {workload.replicas}"
        yield Operation("create", workload.name, next(numbers), cause)
    for position, instance in enumerate(reversed(outdated)):
        surplus = position < len(outdated) - replaced
        cause = f"the stack wants {workload.replicas}" if surplus else f"the definition of {workload.name} changed"
        yield Operation("drain", workload.name, instance.id, cause)
    yield from _surplus(workload, tuple(current[workload.replicas :]), len(current))


def _revive(instance: Instance) -> Iterator[Operation]:
    if instance.state == "paused":
        yield Operation("unpause", instance.service, instance.id, "it is paused")
    elif instance.state in ("created", "exited", "dead"):
        yield Operation("start", instance.service, instance.id, f"it is {instance.state}")


def _missing(stack: str, workload: Workload, existing: tuple[Instance, ...], count: int) -> Iterator[Operation]:
    numbers = _numbers(stack, workload, existing)
    for _ in range(count):
        cause = f"{workload.name} has {_count(len(existing))}, the stack wants {workload.replicas}"
        yield Operation("create", workload.name, next(numbers), cause)


def _surplus(workload: Workload, surplus: tuple[Instance, ...], count: int) -> Iterator[Operation]:
    """Newest first: the oldest have proven themselves the longest."""
    verb: Verb = "drain" if workload.role == "service" else "remove"
    for instance in reversed(surplus):
        cause = f"{workload.name} has {_count(count)}, the stack wants {workload.replicas}"
        yield Operation(verb, workload.name, instance.id, cause)


def _orphans(desired: Desired, seen: EngineState) -> Iterator[Operation]:
    for instance in sorted(seen.instances, key=lambda i: i.id):
        if desired.workload(instance.service) is None:
            verb: Verb = "drain" if instance.role == "service" else "remove"
            yield Operation(verb, instance.service, instance.id, f"{instance.service} is not in the spec any more")


def _numbers(stack: str, workload: Workload, existing: tuple[Instance, ...]) -> Iterator[str]:
    """The names that the engine gives to new instances: it counts on from the highest number in use."""
    number = max((_number(instance.id) for instance in existing), default=0)
    while True:
        number += 1
        yield f"{stack}-{workload.name}-{number}"


def _number(id: str) -> int:
    tail = id.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0


def _count(number: int) -> str:
    return f"{number} instance" if number == 1 else f"{number} instances"
