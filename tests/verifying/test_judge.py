"""The judge names the first layer that differs, with the instances, and is never satisfied by nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.catalog import Catalog, SetAside
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import BalancerSeen, Observation, Resolved, Traffic
from stackctl.domain.verdict import Divergence, Expectation, ExpectedService
from stackctl.verifying.judge import desired_ids, judge
from tests.building import backends, endpoint, entry, instance, observation, traffic

LACKS = "DNS (A and SRV) does not answer with"


def expectation(replicas: int = 3, *, routed: bool = True, registered: bool = True, balancers: int = 1) -> Expectation:
    return Expectation("shop", (ExpectedService("web", "web", replicas, registered, routed),), balancers)


def divergence(seen: Observation, replicas: int = 3) -> Divergence | None:
    return judge(expectation(replicas), seen).services[0].divergence


def test_agreement() -> None:
    """Three instances in every layer are agreement, with the revision that runs."""
    judgement = judge(expectation(), observation(1, 2, 3))
    assert judgement.agrees
    assert judgement.revision == "abcdef12"
    assert judgement.services[0].desired == ("shop-web-1", "shop-web-2", "shop-web-3")


@pytest.mark.parametrize("state", ["exited", "paused", "dead", "created"])
def test_engine_missing(state: str) -> None:
    """An instance that does not run is missing at the engine, with its state as the reason."""
    instances = (instance(1), instance(2), instance(3, state=state))  # type: ignore[arg-type]
    seen = replace(observation(1, 2, 3), engine=EngineState(instances))
    assert divergence(seen) == Divergence("engine", ("shop-web-3",), (), f"shop-web-3 is {state}")


def test_engine_absent() -> None:
    """An instance that was never made is missing under the name that it would get."""
    assert divergence(observation(1, 2)) == Divergence("engine", ("shop-web-3",), (), "shop-web-3 is absent")


def test_engine_extra() -> None:
    """An instance too many is extra, the newest one."""
    found = divergence(observation(1, 2, 3, 4))
    assert found is not None
    assert (found.layer, found.missing, found.extra) == ("engine", (), ("shop-web-4",))


def test_unhealthy() -> None:
    """What the engine calls unhealthy does not serve."""
    seen = replace(observation(1), engine=EngineState((instance(1, health="unhealthy"),)))
    assert divergence(seen, 1) == Divergence("engine", ("shop-web-1",), (), "shop-web-1 is unhealthy")


def test_draining() -> None:
    """An instance in maintenance is missing at the engine: it runs but is not to serve."""
    catalog = Catalog("web", (entry(1), entry(2, draining=True)))
    found = divergence(replace(observation(1, 2), catalogs={"web": catalog}), 2)
    assert found == Divergence("engine", ("shop-web-2",), (), "shop-web-2 is draining")


def test_registration_removed() -> None:
    """A registration that is gone is missing at the registry."""
    seen = replace(observation(1, 2, 3), catalogs={"web": Catalog("web", (entry(1), entry(2)))})
    assert divergence(seen) == Divergence("registry", ("shop-web-3",), (), "shop-web-3 is not registered")


def test_ghost() -> None:
    """A registration without an instance is extra at the registry."""
    seen = replace(observation(1, 2, 3), catalogs={"web": Catalog("web", tuple(map(entry, (1, 2, 3, 9))))})
    found = divergence(seen)
    assert found is not None
    assert (found.layer, found.extra) == ("registry", ("shop-web-9",))


def test_moved() -> None:
    """The right id at the wrong address is a difference too."""
    wrong = replace(entry(3), endpoint=endpoint(33))
    seen = replace(observation(1, 2, 3), catalogs={"web": Catalog("web", (entry(1), entry(2), wrong))})
    found = divergence(seen)
    assert found is not None
    assert (found.layer, found.missing) == ("registry", ("shop-web-3",))
    assert "registered at 10.0.0.33:80, runs at 10.0.0.3:80" in found.reason


def test_critical_and_set_aside() -> None:
    """A failing check and a refused value are told apart."""
    failing = Catalog("web", (entry(1), entry(2, passing=False)))
    found = divergence(replace(observation(1, 2), catalogs={"web": failing}), 2)
    assert found is not None
    assert "shop-web-2 is failing its check" in found.reason
    unasked = Catalog("web", (entry(1), replace(entry(2, passing=False), unasked=True)))
    found = divergence(replace(observation(1, 2), catalogs={"web": unasked}), 2)
    assert found is not None
    assert "shop-web-2 was not asked yet" in found.reason
    aside = Catalog("web", (entry(1),), (SetAside("shop-web-2", "web", "the port is no number"),))
    found = divergence(replace(observation(1, 2), catalogs={"web": aside}), 2)
    assert found is not None
    assert "set aside: the port is no number" in found.reason


def test_registry_lost() -> None:
    """A registry that does not answer is never an empty catalog."""
    found = divergence(replace(observation(1), catalogs={}, registry_lost="no leader"), 1)
    assert found == Divergence("registry", ("shop-web-1",), (), "no consistent answer: no leader")


def test_a_port_that_nobody_publishes() -> None:
    """An entry that the spec wants and no balancer has is a difference of the traffic, whatever the others answer."""
    service = ExpectedService("web", "web", 1, registered=True, routed=True, ports=frozenset({8080, 8443}))
    found = judge(Expectation("shop", (service,), 1), observation(1)).services[0].divergence
    assert found == Divergence("traffic", ("shop-web-1",), (), "no balancer publishes the entry's port 8443")


def test_weights() -> None:
    """A balancer that gives an instance another weight than the registry is behind."""
    seen = replace(observation(1), catalogs={"web": Catalog("web", (replace(entry(1), weight=5),))})
    found = divergence(seen, 1)
    assert found is not None
    assert (found.layer, found.missing) == ("config", ("shop-web-1",))


def test_weakened() -> None:
    """A registry with servers that can't vote is not what the stack wants, although its catalog is right."""
    found = divergence(replace(observation(1), weakened=("consul-2",)), 1)
    assert found is not None
    assert (found.layer, found.missing, found.extra) == ("registry", (), ())
    assert found.reason.startswith("consul-2 can't do their part")


def balancer(*numbers: int, **values: object) -> BalancerSeen:
    met = {"web": traffic(*numbers)}
    return BalancerSeen("shop-lb-1", "abcdef123456", backends(*numbers), traffic=met, **values)  # type: ignore[arg-type]


def test_config_behind() -> None:
    """A balancer whose running config lacks an instance is named, and its frozen agent with it."""
    behind = balancer(1, 2, agent="its agent does not answer")
    found = divergence(replace(observation(1, 2, 3), balancers=(behind,)))
    assert found is not None
    assert (found.layer, found.missing) == ("config", ("shop-web-3",))
    assert "its agent does not answer" in found.reason


def test_config_edited_unloaded() -> None:
    """A file edited by hand is a difference of the config before nginx runs it."""
    edited = balancer(1, 2, 3, tampered="edited by hand", dropped={"web": ("shop-web-3",)})
    found = divergence(replace(observation(1, 2, 3), balancers=(edited,)))
    assert found == Divergence("config", ("shop-web-3",), (), "shop-lb-1: edited by hand")


def test_balancer_missing_or_silent() -> None:
    """Too few balancers, and one that can't be asked, are differences of the config."""
    found = divergence(replace(observation(1), balancers=()), 1)
    assert found is not None
    assert found.layer == "config"
    found = divergence(replace(observation(1), balancers=(BalancerSeen("shop-lb-1", unreachable="gone"),)), 1)
    assert found is not None
    assert (found.layer, found.missing) == ("config", ("shop-web-1",))


def test_second_balancer_is_judged_too() -> None:
    """One balancer of two that is behind is enough to differ, and it is the one that is named."""
    first = balancer(1, 2)
    second = replace(balancer(1), id="shop-lb-2")
    seen = replace(observation(1, 2), balancers=(first, second))
    found = judge(expectation(2, balancers=2), seen).services[0].divergence
    assert found is not None
    assert found.reason.startswith("shop-lb-2:")


@pytest.mark.parametrize(
    ("met", "missing", "reason"),
    [
        (Traffic(8, {"10.0.0.1:80": 8}), ("shop-web-2",), "shop-web-2 answered none of 8 requests"),
        (Traffic(8, {"10.0.0.1:80": 4, "10.0.0.2:80": 3, "10.0.0.9:80": 1}), (), "1 answers from no instance"),
        (
            Traffic(8, {"10.0.0.1:80": 4}, {"10.0.0.2:80": 4}, ("10.0.0.2:80: status 500",)),
            ("shop-web-2",),
            "status 500",
        ),
        (Traffic(8, {"10.0.0.1:80": 4, "10.0.0.2:80": 3}, {"": 1}, ("no answer",)), (), "no answer"),
        (Traffic(0), ("shop-web-1", "shop-web-2"), "not every way in was probed"),
    ],
)
def test_traffic(met: Traffic, missing: tuple[str, ...], reason: str) -> None:
    """An instance unseen, a stranger, an error and zero requests are each no proof."""
    seen = observation(1, 2)
    found = divergence(replace(seen, entries={"entry 127.0.0.1:8080": {"web": met}}), 2)
    assert found is not None
    assert (found.layer, found.missing) == ("traffic", missing)
    assert reason in found.reason


def test_entry_unprobed() -> None:
    """Without the published entry there is no proof."""
    found = divergence(replace(observation(1), entries={}), 1)
    assert found is not None
    assert found.layer == "traffic"


def test_nothing_is_never_a_pass() -> None:
    """Zero wanted instances, and a stack without services, prove nothing."""
    assert not judge(expectation(0), observation()).agrees
    assert not judge(Expectation("shop", (), 1), observation()).agrees


def test_internal_service() -> None:
    """A service without a route is held to engine and registry alone."""
    seen = replace(observation(1), balancers=(), entries={})
    assert judge(expectation(1, routed=False), seen).agrees


@given(st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_agreement_is_equality(engine: set[int], registry: set[int], config: set[int], met: set[int]) -> None:
    """Layers agree exactly when they hold the same instances, as many as wanted and at least one."""
    seen = Observation(
        0.0,
        EngineState(tuple(map(instance, sorted(engine)))),
        {"web": Catalog("web", tuple(map(entry, sorted(registry))))},
        balancers=(BalancerSeen("shop-lb-1", "a", backends(*config), traffic={"web": traffic(*met)}),),
        entries={"entry": {"web": traffic(*met)}},
    )
    agrees = judge(expectation(len(engine)), seen).agrees
    assert agrees == (engine == registry == config == met and bool(engine))


def test_desired_names() -> None:
    """Existing instances come first, oldest first; new names count on from the highest number."""
    engine = EngineState((instance(2), instance(5)))
    assert desired_ids("shop", ExpectedService("web", "web", 3, True, True), engine) == (
        "shop-web-2",
        "shop-web-5",
        "shop-web-6",
    )
    assert desired_ids("shop", ExpectedService("web", "web", 1, True, True), engine) == ("shop-web-2",)


def test_a_node_that_does_not_answer() -> None:
    """What runs on a node that can't be observed is not known: that is a difference, with the node's name."""
    whole = observation(1, 2, 3)
    seen = replace(whole, engine=replace(whole.engine, nodes=("one", "two"), unreachable={"two": "no route"}))
    assert divergence(seen) == Divergence("engine", (), (), "two does not answer: no route")


def test_instances_of_a_node_that_does_not_answer() -> None:
    """Instances that may run there are missing, and the node is the reason."""
    whole = observation(1, 2)
    seen = replace(whole, engine=replace(whole.engine, unreachable={"two": "no route"}))
    assert divergence(seen) == Divergence("engine", ("shop-web-3",), (), "two does not answer: no route")


def test_names_on_every_node() -> None:
    """An internal service is found by its name on every machine: one where it is not is named."""
    right = Resolved(("10.0.0.1", "10.0.0.2"), ("10.0.0.1:80", "10.0.0.2:80"), node="one")
    wanted = Expectation("shop", (ExpectedService("web", "web", 2, True, False, resolved=True),), 1)
    for other, reason in (
        (replace(right, node="two"), None),
        (Resolved(lost="DNS does not answer", node="two"), "on two: DNS does not answer"),
        (
            replace(right, addresses=("10.0.0.1",), node="two"),
            "on two: DNS (A and SRV) does not answer with shop-web-2",
        ),
    ):
        seen = replace(observation(1, 2), resolved={"web": (right, other)})
        found = judge(wanted, seen).services[0].divergence
        assert (found and found.reason) == reason and (found is None or found.layer == "dns")


def test_ghosts_whose_values_are_set_aside() -> None:
    """What passes in the registry is extra there, though no balancer would take it: others ask the registry too."""
    ghost = SetAside("ghost", "web", "port 0 is not between 1 and 65535")
    catalog = Catalog("web", (entry(1), entry(2)), (ghost,))
    found = divergence(replace(observation(1, 2), catalogs={"web": catalog}), 2)
    assert found is not None
    assert (found.layer, found.missing, found.extra) == ("registry", (), ("ghost",))
    assert "port 0" in found.reason
    failing = replace(catalog, set_aside=(replace(ghost, passing=False),))
    assert divergence(replace(observation(1, 2), catalogs={"web": failing}), 2) is None


def test_registered_twice() -> None:
    """A second registration of an instance is extra under its own id: who is asked twice as often is not served as
    wanted. The ports of one instance that its registrator wrote under one name are not."""
    copy = replace(entry(1), registration="copy", owner="")
    seen = observation(1, 2)
    found = divergence(replace(seen, catalogs={"web": Catalog("web", (copy, entry(1), entry(2)))}), 2)
    assert found is not None
    assert (found.layer, found.missing, found.extra) == ("registry", (), ("copy",))
    assert found.reason == "copy is a second registration of shop-web-1, beside shop-web-1"
    owned = replace(entry(1), registration="shop-web-1:81")
    assert divergence(replace(seen, catalogs={"web": Catalog("web", (owned, entry(1), entry(2)))}), 2) is None


def test_nothing_is_wanted() -> None:
    """Of nothing there is no proof, however long one waits for it."""
    found = divergence(Observation(0.0, EngineState()), 0)
    assert found is not None
    assert (found.layer, found.lasting) == ("engine", True)


def test_the_steadiest_stay() -> None:
    """Of too many, those that serve are wanted, and among them the oldest."""
    service = expectation(2).services[0]
    state = EngineState((instance(1, health="unhealthy"), instance(2), instance(3), instance(4)))
    assert desired_ids("shop", service, state) == ("shop-web-2", "shop-web-3")
