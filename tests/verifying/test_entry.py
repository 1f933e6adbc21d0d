"""A virtual address is had by exactly one machine, others stand by, and requests went through it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.domain.balancer import Backends
from stackctl.domain.observation import BalancerSeen, KeeperSeen, Observation
from stackctl.domain.verdict import Divergence, Expectation, ExpectedService, SharedAddress
from stackctl.verifying.judge import judge
from tests.building import backends, observation, traffic

ADDRESS = "192.0.2.100"
NODES = ("one", "two", "three")
WEB = ExpectedService("web", "web", 2, registered=True, routed=True, ports=frozenset({8080}))
WANTED = Expectation("shop", (WEB,), 2, shared=SharedAddress(ADDRESS, NODES))
MEMBERS: Backends = backends(1, 2)
MET = {"web": traffic(1, 2)}


def keeper(node: str, *, holds: bool = False, fit: bool = True, unreachable: str = "") -> KeeperSeen:
    return KeeperSeen(f"shop-{node}-vip-1", node, holds, fit, unreachable)


GOOD = (keeper("one", holds=True), keeper("two"), keeper("three", fit=False))


def seen(*keepers: KeeperSeen, through: bool = True) -> Observation:
    """Two balancers, proven by their own addresses and, with `through`, by the virtual one."""
    own = tuple(BalancerSeen(f"shop-{node}-lb-1", "abcdef123456", MEMBERS, traffic=MET) for node in NODES[:2])
    entries = {f"entry {address}:8080": MET for address in ("192.0.2.1", "192.0.2.2", *([ADDRESS] if through else []))}
    return replace(observation(1, 2), balancers=own, entries=entries, keepers=keepers)


def divergence(found: Observation, wanted: Expectation = WANTED) -> Divergence | None:
    return judge(wanted, found).services[0].divergence


def test_one_has_it() -> None:
    """One machine has it, the other one with a balancer could, the one without can't, and traffic went through it."""
    found = seen(*GOOD)
    assert judge(WANTED, found).agrees
    assert found.holder == "one"


@pytest.mark.parametrize(
    ("keepers", "reason"),
    [
        ((keeper("one"), keeper("two"), keeper("three", fit=False)), "nobody has 192.0.2.100"),
        (
            (keeper("one", holds=True), keeper("two", holds=True), keeper("three", fit=False)),
            "one and two have 192.0.2.100",
        ),
        (
            (keeper("one", holds=True), keeper("two", fit=False), keeper("three", fit=False)),
            "2 machines could have 192.0.2.100, and only one can",
        ),
        (
            (keeper("one", holds=True), keeper("two"), keeper("three")),
            "one, two, three could have 192.0.2.100, and only 2 of them have a balancer, so something else answers",
        ),
        ((keeper("one", holds=True), keeper("two")), "there is no keepalived on three"),
        (
            (keeper("one", holds=True), keeper("two"), keeper("three", unreachable="it is exited")),
            "shop-three-vip-1 can't be asked: it is exited",
        ),
        ((), "nobody has 192.0.2.100; there is no keepalived on one; there is no keepalived on two; "),
    ],
)
def test_anything_else_differs(keepers: tuple[KeeperSeen, ...], reason: str) -> None:
    """None, two, too few or too many that could have it, a keepalived that is missing or silent: told with names."""
    found = divergence(seen(*keepers))
    assert found is not None
    assert found.layer == "entry"
    assert found.reason.startswith(reason)


def test_two_are_named() -> None:
    """The keepalived of each machine that has it is extra; which one of them is wrong, nobody knows."""
    found = divergence(seen(keeper("one", holds=True), keeper("two", holds=True), keeper("three", fit=False)))
    assert found is not None
    assert found.extra == ("shop-one-vip-1", "shop-two-vip-1")
    assert seen(keeper("one", holds=True), keeper("two", holds=True)).holder == ""


def test_it_must_be_asked() -> None:
    """An address that somebody has and nobody asked is not proven."""
    assert divergence(seen(*GOOD, through=False)) == Divergence(
        "traffic", reason="port 8080 of 192.0.2.100 was not asked"
    )


def test_without_an_address() -> None:
    """Where no address is wanted, none is missed."""
    assert divergence(seen(through=False), replace(WANTED, shared=None)) is None
