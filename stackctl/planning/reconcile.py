"""Reconcile: what must happen for what the engine has to become what the stack wants. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from stackctl.domain.desired import SPREAD, Desired, Workload
from stackctl.domain.instance import EngineState, Instance, steadiest
from stackctl.domain.plan import Operation, Plan, Verb
from stackctl.planning.placement import Place, load_of, number_of, places


def reconcile(
    desired: Desired, seen: EngineState, told: Mapping[str, str] | None = None, *, canaries: bool = False
) -> Plan:
    """The operations, in order: what makes instances first, then what takes them away.

    An instance of a service whose definition changed gets a replacement before it is drained; parts with an identity of
    their own (Consul nodes, agents, balancers) are made anew in place, one after the other. `told` are the digests, by
    workload, of what running parts were told last; a part of which nothing is known is told again. Canaries go, unless
    `canaries` lets them be.
    """
    load = load_of(seen)
    operations = [
        operation
        for workload in desired.workloads
        for operation in _workload(desired.stack, workload, seen, load, canaries=canaries)
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
                    yield _operation("configure", instance, "what it is told changed")


def _workload(
    stack: str, workload: Workload, seen: EngineState, load: Counter[str], *, canaries: bool
) -> Iterator[Operation]:
    existing = tuple(instance for instance in seen.of(workload.name) if workload.allows(instance.node))
    elsewhere = tuple(instance for instance in seen.of(workload.name) if instance not in existing)
    if workload.role == "service":
        counted = tuple(i for i in (*existing, *elsewhere) if not (canaries and i.canary))
        current = [instance for instance in counted if not _outdated(workload, instance)]
        everyone = (*existing, *elsewhere)
        new = places(stack, workload.name, workload.nodes, everyone, load, staying=current)
        yield from _service(workload, counted, new)
        return
    kept = existing[: workload.replicas]
    for instance in kept:
        if instance.digest == workload.digest:
            yield from _revive(instance)
    # The last first: it gets its number back while the others go on, and what is left is up to date then.
    for instance in sorted(kept, key=lambda i: -number_of(i.id)):
        if instance.digest != workload.digest:
            yield _operation("recreate", instance, f"the definition of {workload.name} changed")
    cause = f"{workload.name} has {_count(len(existing))}, the stack wants {workload.replicas}"
    new = places(stack, workload.name, workload.nodes, existing, load)
    for _ in range(workload.replicas - len(existing)):
        yield _create(workload, next(new), cause)
    yield from _surplus(workload, existing[workload.replicas :], len(existing))
    if workload.role in SPREAD:
        for instance in elsewhere:
            yield _operation("remove", instance, f"it may not run on {instance.node}")


def _service(workload: Workload, existing: tuple[Instance, ...], new: Iterator[Place]) -> Iterator[Operation]:
    reasons = {instance.id: _outdated(workload, instance) for instance in existing}
    current = steadiest(instance for instance in existing if not reasons[instance.id])
    outdated = [instance for instance in existing if reasons[instance.id]]
    kept = current[: workload.replicas]
    for instance in kept:
        yield from _revive(instance)
    for instance in outdated:
        if instance.state == "paused":  # nothing can be launched beside it, nor can it be told to end
            yield _operation("unpause", instance, "it is paused, and has to leave")
    missing = workload.replicas - len(kept)
    replaced = min(missing, len(outdated))
    for instance in outdated[:replaced]:
        cause = (
            "whose definition changed" if workload.allows(instance.node) else f"which may not run on {instance.node}"
        )
        yield _create(workload, next(new), f"replaces {instance.id}, {cause}")
    for _ in range(missing - replaced):
        cause = f"{workload.name} has {_count(len(existing))}, the stack wants {workload.replicas}"
        yield _create(workload, next(new), cause)
    for position, instance in enumerate(reversed(outdated)):
        surplus = position < len(outdated) - replaced
        cause = f"the stack wants {workload.replicas}" if surplus else reasons[instance.id]
        yield _operation("drain", instance, cause)
    yield from _surplus(workload, current[workload.replicas :], len(current))


def _outdated(workload: Workload, instance: Instance) -> str:
    """Why an instance can't stay; empty where it can."""
    if not workload.allows(instance.node):
        return f"it may not run on {instance.node}"
    return "" if instance.digest == workload.digest else f"the definition of {workload.name} changed"


def _revive(instance: Instance) -> Iterator[Operation]:
    if instance.state == "paused":
        yield _operation("unpause", instance, "it is paused")
    elif instance.state in ("created", "exited", "dead"):
        yield _operation("start", instance, f"it is {instance.state}")


def _surplus(workload: Workload, surplus: tuple[Instance, ...], count: int) -> Iterator[Operation]:
    """Of services those that do not serve, then the newest: the oldest have proven themselves the longest."""
    verb: Verb = "drain" if workload.role == "service" else "remove"
    for instance in reversed(surplus):
        yield _operation(verb, instance, f"{workload.name} has {_count(count)}, the stack wants {workload.replicas}")


def _orphans(desired: Desired, seen: EngineState) -> Iterator[Operation]:
    """What the spec has no workload for; on several machines also parts of a machine's own that no workload is for."""
    for instance in sorted(seen.instances, key=lambda i: i.id):
        known = [w for w in desired.workloads if w.name == instance.service]
        if not any(w.role in SPREAD or w.allows(instance.node) for w in known):
            verb: Verb = "drain" if instance.role == "service" else "remove"
            yield _operation(verb, instance, f"{instance.service} is not in the spec any more")


def _create(workload: Workload, place: Place, cause: str) -> Operation:
    return Operation("create", workload.name, place.id, cause, place.node)


def _operation(verb: Verb, instance: Instance, cause: str) -> Operation:
    return Operation(verb, instance.service, instance.id, cause, instance.node)


def _count(number: int) -> str:
    return f"{number} instance" if number == 1 else f"{number} instances"
