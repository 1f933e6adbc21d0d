"""Plans are compared as the text that people read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState, Instance
from stackctl.planning.reconcile import reconcile
from stackctl.planning.topology import topology
from tests.building import IMAGES, instance, stack

WEB = next(w for w in topology(stack(), IMAGES).workloads if w.name == "web")


def desired(replicas: int) -> Desired:
    return Desired("shop", (replace(WEB, replicas=replicas),))


def web(number: int, **values: object) -> Instance:
    return instance(number, **{"digest": WEB.digest, **values})  # type: ignore[arg-type]


def plan(replicas: int, *seen: Instance) -> list[str]:
    return str(reconcile(desired(replicas), EngineState(seen))).splitlines()


def test_nothing_to_do() -> None:
    """What is as it should be needs nothing."""
    assert plan(2, web(1), web(2)) == ["nothing to do"]


def test_create() -> None:
    """Missing instances are created under the next numbers, with the reason."""
    assert plan(3, web(2)) == [
        "create   shop-web-3  (web has 1 instance, the stack wants 3)",
        "create   shop-web-4  (web has 1 instance, the stack wants 3)",
    ]


def test_revive() -> None:
    """Stopped instances are started, paused ones go on."""
    assert plan(2, web(1, state="exited"), web(2, state="paused")) == [
        "start    shop-web-1  (it is exited)",
        "unpause  shop-web-2  (it is paused)",
    ]


def test_drain_newest_first() -> None:
    """Surplus instances are drained, the newest first."""
    assert plan(1, web(1), web(2), web(3)) == [
        "drain    shop-web-3  (web has 3 instances, the stack wants 1)",
        "drain    shop-web-2  (web has 3 instances, the stack wants 1)",
    ]


def test_drain_who_does_not_serve_first() -> None:
    """The oldest is no use where it does not serve."""
    assert plan(1, web(1, health="unhealthy"), web(2), web(3, state="exited")) == [
        "drain    shop-web-3  (web has 3 instances, the stack wants 1)",
        "drain    shop-web-1  (web has 3 instances, the stack wants 1)",
    ]


def test_replace_a_paused_one() -> None:
    """It goes on, because nothing can be launched beside it otherwise."""
    assert plan(1, web(1, digest="old", state="paused")) == [
        "unpause  shop-web-1  (it is paused, and has to leave)",
        "create   shop-web-2  (replaces shop-web-1, whose definition changed)",
        "drain    shop-web-1  (the definition of web changed)",
    ]


def test_replace() -> None:
    """An instance of an old definition gets its replacement before it is drained."""
    assert plan(1, web(1, digest="old")) == [
        "create   shop-web-2  (replaces shop-web-1, whose definition changed)",
        "drain    shop-web-1  (the definition of web changed)",
    ]


def test_replace_and_shrink() -> None:
    """Of three old instances, one is replaced and all are drained."""
    assert plan(1, web(1, digest="old"), web(2, digest="old"), web(3, digest="old")) == [
        "create   shop-web-4  (replaces shop-web-1, whose definition changed)",
        "drain    shop-web-3  (the stack wants 1)",
        "drain    shop-web-2  (the stack wants 1)",
        "drain    shop-web-1  (the definition of web changed)",
    ]


def test_orphans() -> None:
    """Services that left the spec are drained, parts are removed."""
    gone = instance(1, service="api")
    part = instance(1, service="consul-5", role="consul")
    assert plan(1, web(1), gone, part) == [
        "drain    shop-api-1  (api is not in the spec any more)",
        "remove   shop-consul-5-1  (consul-5 is not in the spec any more)",
    ]


def test_parts_are_made_anew_in_place() -> None:
    """A Consul node keeps its name and its volume, so it is recreated, not replaced."""
    consul = next(w for w in topology(stack(), IMAGES).workloads if w.name == "consul-1")
    seen = EngineState((instance(1, service="consul-1", role="consul", digest="old"),))
    text = str(reconcile(Desired("shop", (consul,)), seen))
    assert text == "recreate shop-consul-1-1  (the definition of consul-1 changed)"


def test_balancers_are_made_anew_last_first() -> None:
    """The last of several gets its number back while the others go on."""
    lb = next(w for w in topology(stack(), IMAGES).workloads if w.name == "lb")
    seen = EngineState(tuple(instance(n, service="lb", role="balancer", digest="old") for n in (1, 2)))
    text = str(reconcile(Desired("shop", (replace(lb, replicas=2),)), seen, {"lb": lb.told}))
    assert [line.split()[:2] for line in text.splitlines()] == [["recreate", "shop-lb-2"], ["recreate", "shop-lb-1"]]


def test_first_launch() -> None:
    """The first plan of a stack creates its parts in the order in which they start."""
    text = str(reconcile(topology(stack(2), IMAGES), EngineState()))
    assert [line.split()[1] for line in text.splitlines()] == [
        "shop-consul-1-1",
        "shop-consul-2-1",
        "shop-consul-3-1",
        "shop-consul-agent-1",
        "shop-registrator-1",
        "shop-lb-1",
        "shop-web-1",
        "shop-web-2",
    ]


STATES = st.sampled_from(["running", "exited", "paused", "created"])


@given(st.integers(0, 5), st.lists(st.tuples(STATES, st.booleans()), max_size=6))
def test_carrying_out_a_plan_leaves_nothing_to_do(replicas: int, kinds: list[tuple[str, bool]]) -> None:
    """Whatever was there, after the plan the next plan is empty."""
    before = [
        web(n, state=state, digest=WEB.digest if current else "old")
        for n, (state, current) in enumerate(kinds, start=1)
    ]
    after = {i.id: i for i in before}
    for operation in reconcile(desired(replicas), EngineState(tuple(before))).operations:
        if operation.verb == "create":
            after[operation.instance] = web(int(operation.instance.rpartition("-")[2]))
        elif operation.verb in ("start", "unpause"):
            after[operation.instance] = replace(after[operation.instance], state="running")
        else:
            del after[operation.instance]
    assert not reconcile(desired(replicas), EngineState(tuple(after.values())))
