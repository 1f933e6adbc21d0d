"""A stack on several hosts: one Consul node and one registrator each, and only what must be is open to others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.domain.desired import Desired, Published, Workload
from stackctl.domain.host import Host
from stackctl.domain.instance import EngineState
from stackctl.domain.stack import ConsulRegistry, Stack
from stackctl.planning.expected import expectation
from stackctl.planning.reconcile import reconcile
from stackctl.planning.topology import topology
from tests.building import IMAGES, instance, stack

HOSTS = tuple(Host(name, context=name, address=f"192.0.2.{n}") for n, name in enumerate(("one", "two", "three"), 1))


def cluster(**registry: object) -> Stack:
    """The stack `shop` on three hosts, with two balancers and a Consul server on each of the first ones."""
    plain = stack(3)
    consul = ConsulRegistry(**{"servers": 1, **registry})  # type: ignore[arg-type]
    return replace(plain, engine="hosts", hosts=HOSTS, registry=consul, balancer=replace(plain.balancer, replicas=2))


def desired(**registry: object) -> Desired:
    return topology(cluster(**registry), IMAGES)


def parts(found: Desired, name: str) -> dict[str, Workload]:
    return {workload.nodes[0]: workload for workload in found.workloads if workload.name == name}


@pytest.mark.parametrize(("servers", "serving"), [(1, ["one"]), (3, ["one", "two", "three"])])
def test_consul_is_joined_by_addresses(servers: int, serving: list[str]) -> None:
    """Every host has one node under its own name: a server on the first ones, a client on the others."""
    nodes = parts(desired(servers=servers), "consul")
    configs = {host: node.configs["/consul/config/agent.json"] for host, node in nodes.items()}
    assert [host for host, config in configs.items() if config["server"]] == serving
    assert {host: config["node_name"] for host, config in configs.items()} == {host: host for host in configs}
    assert {host: config["advertise_addr"] for host, config in configs.items()} == {h.name: h.address for h in HOSTS}
    assert {host: config["retry_join"] for host, config in configs.items()} == {
        host.name: [f"{other.address}:8301" for other in HOSTS[:servers] if other != host] for host in HOSTS
    }
    assert len({config["node_id"] for config in configs.values()}) == 3


def test_only_consuls_own_ports_are_open() -> None:
    """Its API and its DNS are published nowhere; what it says to its kind is bound to the machine's address."""
    node = parts(desired(subnet="198.18.7.0/24"), "consul")["two"]
    assert node.published == (
        Published(8300, 8300, "192.0.2.2"),
        Published(8301, 8301, "192.0.2.2"),
        Published(8301, 8301, "192.0.2.2", protocol="udp"),
    )
    assert (node.aliases, node.address) == (("consul-agent",), "198.18.7.2")
    assert node.configs["/consul/config/agent.json"]["ports"] == {
        "dns": 53,
        "serf_lan": 8301,
        "serf_wan": -1,
        "server": 8300,
    }


def test_registered_is_the_hosts_address() -> None:
    """Each registrator knows its host's address and signs with its name; instances publish a port of any number."""
    found = desired()
    two = parts(found, "registrator")["two"].environment
    assert (two["STACKCTL_HOST_IP"], two["STACKCTL_OWNER"]) == ("192.0.2.2", "shop/two")
    assert two["STACKCTL_NETWORK"] == "shop-two_default"
    web = found.workload("web")
    assert web is not None
    assert (web.labels["stackctl.address"], web.published) == ("host", (Published(0, 80),))


def test_balancers_have_machines_of_their_own() -> None:
    """The first plan puts them on different machines, each on the same port, and the proof expects that one port."""
    plan = reconcile(desired(), EngineState())
    assert [o.node for o in plan.operations if o.service == "lb"] == ["one", "two"]
    assert sorted(o.node for o in plan.operations if o.service == "web") == ["one", "three", "two"]
    (service,) = expectation(cluster()).services
    assert (service.ports, service.nodes) == (frozenset({8080}), ("one", "two", "three"))


def test_on() -> None:
    """A service that names its hosts runs there only."""
    whole = cluster()
    shop = replace(whole, services=tuple(replace(service, on=("three",)) for service in whole.services))
    plan = reconcile(topology(shop, IMAGES), EngineState())
    assert {o.node for o in plan.operations if o.service == "web"} == {"three"}


def test_nothing_to_do_when_it_is_there() -> None:
    """The parts that every machine has are told apart by their machine."""
    found = desired()
    plan = reconcile(found, EngineState())

    there = []
    for number, operation in enumerate(plan.operations, 1):
        workload = next(w for w in found.workloads if w.name == operation.service and w.allows(operation.node))
        made = instance(number, service=operation.service, role=workload.role, digest=workload.digest)
        there.append(replace(made, id=operation.instance, node=operation.node))
    told = {workload.name: workload.told for workload in found.workloads if workload.told}
    assert str(reconcile(found, EngineState(tuple(there)), told)) == "nothing to do"
