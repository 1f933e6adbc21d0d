"""Where new instances go: spread evenly, the same every time, under names that nobody has."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.plan import Operation, Plan
from stackctl.planning.deploying import Rollout, rehearse
from stackctl.planning.placement import Place, load_of, part, placed, places
from stackctl.planning.reconcile import reconcile
from stackctl.planning.topology import topology
from tests.building import IMAGES, instance, stack

NODES = ("one", "two", "three")
WEB = replace(next(w for w in topology(stack(), IMAGES).workloads if w.name == "web"), nodes=NODES)


def on(node: str, number: int, *, created: float = 0.0, service: str = "web", role: str = "service") -> Instance:
    """shop-<node>-<service>-<number>."""
    made = instance(number, service=service, role=role, digest=WEB.digest, created=created)
    return replace(made, id=f"shop-{node}-{service}-{number}", node=node)


def new(count: int, *existing: Instance, nodes: tuple[str, ...] = NODES) -> list[Place]:
    return list(islice(places("shop", "web", nodes, existing, load_of(EngineState(existing))), count))


def test_one_engine_counts_on() -> None:
    """Without machines there is no place to choose; names count on from the highest number."""
    assert new(2, instance(4), nodes=()) == [Place("shop-web-5"), Place("shop-web-6")]


def test_the_emptiest_machine_first() -> None:
    """The machine with the fewest instances of the service gets the next one, of equals the first that is listed."""
    assert [place.id for place in new(4, on("one", 1), on("three", 1))] == [
        "shop-two-web-1",
        "shop-one-web-2",
        "shop-two-web-2",
        "shop-three-web-2",
    ]


def test_of_equals_the_less_loaded() -> None:
    """Services of one instance each do not all end up on the first machine."""
    assert new(1, on("one", 1, service="lb", role="balancer"))[0].node == "two"


members = st.lists(st.tuples(st.sampled_from(NODES), st.integers(1, 20)), max_size=12, unique=True)


@given(members, st.integers(1, 12), st.sets(st.sampled_from(NODES), min_size=1))
def test_spread(existing: list[tuple[str, int]], count: int, allowed: set[str]) -> None:
    """New instances are on allowed machines, under names of their own, and never make the fullest machine fuller."""
    nodes = tuple(sorted(allowed))
    there = [on(node, number) for node, number in existing]
    made = new(count, *there, nodes=nodes)
    assert {place.node for place in made} <= allowed
    assert len({place.id for place in made} | {i.id for i in there}) == len(made) + len(there)
    before = Counter(i.node for i in there if i.node in allowed)
    after = before + Counter(place.node for place in made)
    fullest = max((before[node] for node in nodes), default=0)
    if any(place.node for place in made):
        uneven = max(after[node] for node in nodes) - min(after[node] for node in nodes)
        assert uneven <= 1 or max(after[node] for node in nodes) == fullest
    assert made == new(count, *there, nodes=nodes)


@given(st.permutations([on(node, number, created=number) for node in NODES for number in (1, 2)]), st.integers(0, 9))
def test_what_is_planned_is_what_is_wanted(existing: list[Instance], replicas: int) -> None:
    """However the engine lists them: after the plan there are as many as wanted, and nothing more to do."""
    desired = Desired("shop", (replace(WEB, replicas=replicas),))
    seen = EngineState(tuple(existing))
    plan = reconcile(desired, seen)
    gone = {operation.instance for operation in plan.of("drain")}
    made = [replace(on(o.node, 99), id=o.instance, created=100.0) for o in plan.of("create")]
    then = EngineState((*(i for i in existing if i.id not in gone), *made))
    assert len(then.instances) == replicas
    assert not reconcile(desired, then)
    counts = placed(seen, plan)
    assert {node: counts[node, "web"] for node in NODES} == {
        node: sum(i.node == node for i in then.instances) for node in NODES
    }


def test_a_machine_that_is_not_allowed_any_more() -> None:
    """An instance where its service may not run is replaced elsewhere first, and then drained."""
    desired = Desired("shop", (replace(WEB, replicas=2, nodes=("two", "three")),))
    plan = reconcile(desired, EngineState((on("one", 1), on("two", 1))))
    assert str(plan).splitlines() == [
        "create   shop-three-web-1 on three  (replaces shop-one-web-1, which may not run on one)",
        "drain    shop-one-web-1 on one  (it may not run on one)",
    ]


def test_a_part_of_a_stack() -> None:
    """A machine's project holds what runs there, with the numbers of that machine."""
    seen = EngineState((on("one", 1), on("one", 2), on("two", 1)))
    plan = Plan("shop", (Operation("drain", "web", "shop-one-web-2", "surplus", "one"),))
    desired = Desired("shop", (replace(WEB, replicas=2), replace(WEB, name="api", nodes=("two",))))
    own = part(desired, "one", placed(seen, plan))
    assert (own.project, [(w.name, w.replicas) for w in own.workloads]) == ("shop-one", [("web", 1)])


def test_what_leaves_does_not_count() -> None:
    """Replacements are spread as if those that they replace were gone already, so that a rollout stays even."""
    old = [replace(on(node, 1, created=n), digest="old") for n, node in enumerate(("one", "one", "two"))]
    old[1] = replace(old[1], id="shop-one-web-2")
    desired = Desired("shop", (replace(WEB, replicas=3),))
    created = reconcile(desired, EngineState(tuple(old))).of("create")
    assert sorted(operation.node for operation in created) == ["one", "three", "two"]


@given(st.lists(st.sampled_from(NODES), min_size=1, max_size=6), st.integers(1, 3))
def test_a_rollout_stays_even(nodes: list[str], parallel: int) -> None:
    """However uneven it was before: after a rollout no machine has two instances more than another."""
    old = [replace(on(node, number, created=number), digest="old") for number, node in enumerate(nodes, 1)]
    rollout = Rollout("shop", "web", len(old), digest=WEB.digest, parallel=parallel, nodes=NODES)
    made = Counter(o.node for o in rehearse(rollout, EngineState(tuple(old)), WEB).of("create"))
    assert sum(made.values()) == len(old)
    assert max(made[node] for node in NODES) - min(made[node] for node in NODES) <= 1
