"""A rolling replacement, one step after the other: each is decided from what the engine has now. Pure.

    start new ones ──> prove that every balancer serves them ──> drain as many old ones ──┐
          ^───────────────────────────────────────────────────────────────────────────────┘

Because every step starts from what is there, a rollout that was interrupted is finished by the same decisions, and an
undone one is a rollout too: the new instances are then what is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from stackctl.domain.desired import Workload
from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.plan import Operation, Plan, Verb
from stackctl.planning.placement import load_of, places

NEVER_RAN: dict[str, Verb] = {"created": "start", "paused": "unpause"}


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is to be at the end: `replicas` instances that are not outdated.

    Outdated are those in `replaced`, by the engine's own ids (a name is given again), and those whose definition has
    another digest than `digest`, where one is given. `canary` makes it a rollout of canaries, which leaves the others
    alone; one of the others ends the canaries for the reason `retire`, where that is given, and else leaves them alone.
    `parallel` is how many are started at once. `nodes` are the machines that new ones may run on; none: the only one.
    """

    stack: str
    workload: str
    replicas: int
    digest: str = ""
    replaced: frozenset[str] = frozenset()
    parallel: int = 1
    canary: bool = False
    retire: str = ""
    cause: str = "the definition changed"
    nodes: tuple[str, ...] = ()

    def outdated(self, instance: Instance) -> bool:
        """Whether this instance has to go."""
        return instance.container in self.replaced or (bool(self.digest) and instance.digest != self.digest)

    def instances(self, seen: EngineState) -> tuple[Instance, ...]:
        """Those that the rollout is about, oldest first."""
        return tuple(i for i in seen.of(self.workload) if bool(i.canary) == self.canary)

    def new(self, seen: EngineState) -> tuple[Instance, ...]:
        """Those of them that stay."""
        return tuple(instance for instance in self.instances(seen) if not self.outdated(instance))


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: operations, or new instances that must be proven before anything else is done; or nothing."""

    plan: Plan
    prove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.plan or self.prove)

    def __str__(self) -> str:
        return f"prove    {', '.join(self.prove)}" if self.prove else str(self.plan)


def next_step(rollout: Rollout, seen: EngineState, proven: frozenset[str]) -> Step:
    """The next step; `proven` are the new instances that every balancer was seen to serve."""
    members = rollout.instances(seen)
    new = rollout.new(seen)
    old = [instance for instance in members if rollout.outdated(instance)]
    idle = [instance for instance in old if instance.state != "running"]
    if idle:  # they serve nobody, and would be started again with the next new one
        return _step(rollout, (_drain(i, f"it is {i.state}, and {rollout.cause}") for i in idle))
    if asleep := [instance for instance in new if instance.state in NEVER_RAN]:
        return _step(
            rollout, (Operation(NEVER_RAN[i.state], i.service, i.id, f"it is {i.state}", i.node) for i in asleep)
        )
    if unproven := tuple(i.id for i in new if i.id not in proven):
        return Step(Plan(rollout.stack), unproven)
    spare = len(new) + len(old) - rollout.replicas
    if old and spare > 0:
        return _step(rollout, (_drain(i, rollout.cause) for i in _leaving(old)[:spare]))
    if spare > 0:
        cause = f"{rollout.workload} has {len(new)} instances, {rollout.replicas} are wanted"
        return _step(rollout, (_drain(i, cause) for i in _leaving(new)[:spare]))
    if missing := rollout.replicas - len(new):
        return _step(rollout, _create(rollout, seen, old, min(rollout.parallel, missing)))
    canaries = () if rollout.canary or not rollout.retire else (i for i in seen.of(rollout.workload) if i.canary)
    return _step(rollout, (_drain(instance, rollout.retire) for instance in canaries))


def rehearse(rollout: Rollout, seen: EngineState, workload: Workload) -> Plan:
    """All operations in order, where everything goes well and nobody interferes."""
    operations: list[Operation] = []
    proven: frozenset[str] = frozenset()
    while step := next_step(rollout, seen, proven):
        proven |= set(step.prove)
        operations += step.plan.operations
        for operation in step.plan.operations:
            seen = _done(seen, operation, workload, rollout)
    return Plan(rollout.stack, tuple(operations))


def _done(seen: EngineState, operation: Operation, workload: Workload, rollout: Rollout) -> EngineState:
    """The engine after one operation that went well."""
    rest = tuple(i for i in seen.instances if i.id != operation.instance)
    if operation.verb == "drain":
        return replace(seen, instances=rest)
    known = next((i for i in seen.instances if i.id == operation.instance), None)
    if known:
        return replace(seen, instances=(*rest, replace(known, state="running")))
    newest = max((i.created for i in rest), default=0.0) + 1
    made = Instance(
        id=operation.instance,
        service=operation.service,
        role=workload.role,
        container="",
        state="running",
        health="none",
        created=newest,
        digest=workload.digest,
        image=workload.image,
        canary=int(rollout.canary),
        node=operation.node,
    )
    return replace(seen, instances=(*rest, made))


def _step(rollout: Rollout, operations: Iterable[Operation]) -> Step:
    return Step(Plan(rollout.stack, tuple(operations)))


def _drain(instance: Instance, cause: str) -> Operation:
    return Operation("drain", instance.service, instance.id, cause, instance.node)


def _leaving(instances: Iterable[Instance]) -> list[Instance]:
    """In the order in which they leave: first what serves nobody, then the newest."""
    return sorted(instances, key=lambda instance: (instance.serving, -instance.created, instance.id))


def _create(rollout: Rollout, seen: EngineState, old: Iterable[Instance], count: int) -> Iterator[Operation]:
    """Under the names that the engine will give."""
    there, staying = seen.of(rollout.workload), rollout.new(seen)
    new = places(rollout.stack, rollout.workload, rollout.nodes, there, load_of(seen), staying=staying)
    leaving = iter(_leaving(old))
    for _ in range(count):
        place, gone = next(new), next(leaving, None)
        wanted = f"{rollout.workload} is to have {rollout.replicas}"
        cause = f"replaces {gone.id}: {rollout.cause}" if gone else "the canary" if rollout.canary else wanted
        yield Operation("create", rollout.workload, place.id, cause, place.node)
