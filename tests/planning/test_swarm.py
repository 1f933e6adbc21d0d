"""What a Swarm's services have to become, compared as the plan's text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.domain.desired import Desired
from stackctl.domain.stack import Balancer, ConsulRegistry
from stackctl.domain.swarm import SwarmNode, SwarmService
from stackctl.errors import UsageError
from stackctl.planning.swarm import as_services, node_label
from stackctl.planning.swarm_services import reconcile_services, service_name
from stackctl.planning.topology import topology
from tests.building import IMAGES, stack


def desired(replicas: int = 2, *, servers: int = 1, balancers: int = 1) -> Desired:
    """The stack `shop` as services."""
    told = replace(stack(replicas), registry=ConsulRegistry(servers), balancer=Balancer(balancers, 8080))
    return as_services(topology(told, IMAGES))


def nodes(count: int, *labels: tuple[int, str]) -> list[SwarmNode]:
    """sw-1, sw-2, …; each label is that of a part, on the node with this number."""
    return [
        SwarmNode(
            f"id{n}",
            f"sw-{n}",
            f"192.0.2.{n}",
            labels={node_label("shop", part): "true" for number, part in labels if number == n},
        )
        for n in range(1, count + 1)
    ]


def running(wanted: Desired) -> list[SwarmService]:
    """The services as they are once they were told so."""
    return [
        SwarmService(w.name, service_name("shop", w.name), w.name, w.digest, w.replicas, w.image)
        for w in wanted.workloads
    ]


PLACED = ((1, "consul-1"), (1, "lb"))


def test_first_up() -> None:
    """Nodes are chosen, every service is created."""
    assert str(reconcile_services(desired(), [], nodes(2))).splitlines() == [
        "place    stackctl.shop.consul-1 on sw-1  (no node has its label)",
        "place    stackctl.shop.lb on sw-1  (no node has its label)",
        "create   shop_consul-1  (there is no such service)",
        "create   shop_consul-agent  (there is no such service)",
        "create   shop_registrator  (there is no such service)",
        "create   shop_lb  (there is no such service)",
        "create   shop_web  (there is no such service)",
    ]


def test_second_up_has_nothing_to_do() -> None:
    """What is as it is to be stays; how many tasks one on every node has is not the plan's affair."""
    wanted = desired()
    seen = [replace(s, replicas=0) if s.workload in ("consul-agent", "registrator") else s for s in running(wanted)]
    assert not reconcile_services(wanted, seen, nodes(2, *PLACED))


def test_changes() -> None:
    """Another definition is an update, another number a scale, and what the spec does not name is removed."""
    seen = [replace(s, digest="old") if s.workload == "lb" else s for s in running(desired(5))]
    seen.append(SwarmService("x", "shop_old", "old", "d", 1, "old:1"))
    assert str(reconcile_services(desired(2), seen, nodes(2, *PLACED))).splitlines() == [
        "update   shop_lb  (the definition of lb changed)",
        "scale    shop_web  (web has 5 instances, the stack wants 2)",
        "remove   shop_old  (old is not in the spec any more)",
    ]


def test_servers_stay_apart_and_where_they_were() -> None:
    """Each server has a node of its own as long as there are enough; one whose node is down waits for it."""
    wanted = desired(servers=3, balancers=2)
    first = reconcile_services(wanted, [], nodes(3)).of("place")
    assert [(o.service, o.node) for o in first] == [
        ("consul-1", "sw-1"),
        ("consul-2", "sw-2"),
        ("consul-3", "sw-3"),
        ("lb", "sw-1"),
        ("lb", "sw-2"),
    ]
    placed = nodes(3, *((int(o.node[-1]), o.service) for o in first))
    dead = [replace(node, state="down") if node.id == "id2" else node for node in placed]
    assert not reconcile_services(wanted, running(wanted), dead)
    removed = [node for node in placed if node.id != "id2"]
    again = reconcile_services(wanted, running(wanted), removed)
    assert [(o.service, o.node) for o in again.operations] == [("consul-2", "sw-1"), ("lb", "sw-3")]


def test_too_few_nodes() -> None:
    """Two balancers share no node, because they share the entry's port."""
    with pytest.raises(UsageError, match="2 of lb need as many nodes, and 1 of the Swarm can take tasks"):
        reconcile_services(desired(balancers=2), [], nodes(1))
