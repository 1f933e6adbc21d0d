"""A virtual address: a keepalived for each machine, none where there is no address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.domain.desired import Workload
from stackctl.domain.host import Host
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import KeeperSeen
from stackctl.domain.plan import Operation
from stackctl.domain.stack import ConsulRegistry, Stack
from stackctl.errors import UsageError
from stackctl.planning.entry import balancer_settings
from stackctl.planning.expected import expectation
from stackctl.planning.reconcile import reconcile
from stackctl.planning.topology import component_images, topology
from stackctl.planning.vip import heirs, holder_last
from stackctl.rendering.compose import compose_model
from tests.building import IMAGES, stack

HOSTS = tuple(Host(name, context=name, address=f"192.0.2.{n}") for n, name in enumerate(("one", "two", "three"), 1))
IMAGES_HERE = {**IMAGES, "keepalived": "keepalived:1"}


def cluster(address: str) -> Stack:
    """The stack `shop` with two balancers on three hosts that share an address."""
    plain = stack(3)
    entry = replace(plain.balancer, replicas=2, virtual_address=address)
    return replace(plain, engine="hosts", hosts=HOSTS, registry=ConsulRegistry(servers=1), balancer=entry)


def keepers(found: Stack) -> list[Workload]:
    return [workload for workload in topology(found, IMAGES_HERE).workloads if workload.role == "vip"]


def test_one_for_each_machine() -> None:
    """Every machine has one in its own network, told of the two others, whichever of them get a balancer."""
    found = keepers(cluster("192.0.2.100"))
    assert [workload.nodes for workload in found] == [("one",), ("two",), ("three",)]
    for workload, own in zip(found, HOSTS, strict=True):
        (text,) = workload.configs.values()
        assert f"unicast_src_ip {own.address}\n" in text
        assert all((f"        {host.address} # {host.name}\n" in text) == (host != own) for host in HOSTS)
        assert workload.extra == {"network_mode": "host"}
    assert len({w.configs["/etc/keepalived/keepalived.conf"].partition("priority ")[2][:3] for w in found}) == 3
    plan = reconcile(topology(cluster("192.0.2.100"), IMAGES_HERE), EngineState())
    assert [o.instance for o in plan.operations if o.service == "vip"] == [
        "shop-one-vip-1",
        "shop-two-vip-1",
        "shop-three-vip-1",
    ]


def test_few_rights() -> None:
    """In the Compose file it has the machine's network, five rights of root's, and nothing else of the machine."""
    desired = topology(cluster("192.0.2.100"), IMAGES_HERE)
    own = replace(desired, workloads=tuple(w for w in desired.workloads if w.nodes == ("two",)))
    service = compose_model(own, {})["services"]["vip"]
    assert (service["network_mode"], service["command"]) == ("host", ["192.0.2.100"])
    assert (service["cap_drop"], service["cap_add"]) == (["ALL"], ["NET_ADMIN", "NET_RAW", "SETUID", "SETGID", "KILL"])
    assert not {"privileged", "volumes", "ports", "networks"} & set(service)


def test_none_without_an_address() -> None:
    """Without it there is no part, no image and no page; with it the proof and the balancers know of it."""
    without, shared = cluster(""), cluster("192.0.2.100")
    assert (keepers(without), expectation(without).shared) == ([], None)
    assert "keepalived" not in component_images(without) and "keepalived" in component_images(shared)
    assert (balancer_settings(without).alive, balancer_settings(shared).alive) == (False, True)
    found = expectation(shared).shared
    assert found is not None
    assert (found.address, found.nodes) == ("192.0.2.100", ("one", "two", "three"))


def test_whose_answer_counts() -> None:
    """The stack's own balancer must answer; with a template of the user's, which may lack the page, whoever does."""
    shared = cluster("192.0.2.100")
    templated = replace(shared, balancer=replace(shared.balancer, template="events {}"))
    for found, asked in ((shared, 'alive shop"\n'), (templated, 'alive"\n')):
        assert all(asked in text for workload in keepers(found) for text in workload.configs.values())


def test_an_address_that_a_machine_has() -> None:
    """What the machines' engines tell, and the spec does not, is found before anything is started."""
    with pytest.raises(UsageError, match=r"192\.0\.2\.2 is the address of two itself"):
        topology(cluster("192.0.2.2"), IMAGES_HERE)


def seen(holders: str, fit: str) -> tuple[KeeperSeen, ...]:
    """What the three keepalived show: the machines that have the address, and those that could."""
    return tuple(
        KeeperSeen(f"shop-{host.name}-vip-1", host.name, host.name in holders.split(), host.name in fit.split())
        for host in HOSTS
    )


@pytest.mark.parametrize(
    ("holders", "fit", "node", "expected"),
    [
        ("one", "one two three", "one", {"two", "three"}),
        ("one", "one three", "one", {"three"}),
        ("one", "one", "one", set()),
        ("one", "one two", "two", set()),
        ("", "one two", "one", {"two"}),
        ("one two", "one two three", "one", set()),
    ],
)
def test_who_could_take_it(holders: str, fit: str, node: str, expected: set[str]) -> None:
    """Whoever else is fit, as long as no other machine has it."""
    assert heirs(node, seen(holders, fit)) == expected


@pytest.mark.parametrize(
    ("holders", "order"),
    [("one", ["two", "three", "one"]), ("three", ["one", "two", "three"]), ("", ["one", "two", "three"])],
)
def test_who_has_it_is_renewed_last(holders: str, order: list[str]) -> None:
    """The others first, so that one of them is ready when it ends, and it ends once."""
    operations = [Operation("recreate", "vip", f"shop-{host.name}-vip-1", "it changed", host.name) for host in HOSTS]
    assert [operation.node for operation in holder_last(operations, seen(holders, ""))] == order
