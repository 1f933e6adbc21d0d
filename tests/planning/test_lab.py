"""What a lab consists of: names, addresses that nobody shares, what is missing, who manages the Swarm."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.lab import MOST_NODES, NAME, Condition, Lab, Node, SwarmRole, left_out
from stackctl.errors import UsageError
from stackctl.planning.lab import missing, new_node, node_name, pools, spare, stopped, swarm_roles, wanted_managers
from tests.golden import golden

SUBNET = IPv4Network("172.18.0.0/16")


def node(number: int, condition: Condition = "ready", swarm: SwarmRole = "") -> Node:
    return Node(number, node_name("lab", number), f"172.18.0.{10 + number}", condition, swarm=swarm)


def lab(*nodes: Node) -> Lab:
    return Lab("lab", SUBNET, nodes)


def test_node_by_its_number() -> None:
    """Name, address and engine of a node follow from the lab's network and its number."""
    made = new_node("lab", 2, SUBNET)
    assert (made.name, str(made.address), str(made.gateway)) == ("stackctl-lab-2", "172.18.0.12", "172.18.0.1")
    assert made.labels == {"stackctl.lab": "lab", "stackctl.node": "2"}
    golden("lab/daemon.json", json.dumps(made.daemon, indent=2) + "\n")


@pytest.mark.parametrize("subnet", ["172.18.0.0/16", "192.168.16.0/20", "10.213.0.0/16", "10.214.5.0/24", "10.0.0.0/9"])
def test_nobody_shares_addresses(subnet: str) -> None:
    """The nodes' own networks, the Swarm's overlays and the lab's network never overlap."""
    inside, overlays = pools(IPv4Network(subnet))
    assert not inside.overlaps(overlays)
    assert not any(pool.overlaps(IPv4Network(subnet)) for pool in (inside, overlays))


def test_spare_addresses() -> None:
    """Addresses for nodes to share are those of no node, and as many as the network has."""
    kept = set(map(str, spare(SUBNET)))
    assert {"172.18.0.100", "172.18.0.109"} <= kept
    assert not kept & {str(new_node("lab", number, SUBNET).address) for number in range(1, MOST_NODES + 1)}
    assert spare(IPv4Network("192.0.2.0/26")) == ()


def test_every_node_fits() -> None:
    """A /24 has addresses for as many nodes as a lab may have."""
    assert new_node("lab", MOST_NODES, IPv4Network("192.0.2.0/24")).address in IPv4Network("192.0.2.0/24")


def test_what_is_missing() -> None:
    """Numbers without a node are made, dead nodes are started, what runs is left alone."""
    seen = lab(node(1), node(3, "stopped"))
    assert missing(seen, 5) == (2, 4, 5)
    assert missing(seen, 1) == ()
    assert [dead.number for dead in stopped(seen)] == [3]


def test_swarm_from_nothing() -> None:
    """The first nodes manage it, the others work."""
    seen = lab(node(1, swarm="manager"), node(2), node(3), node(4, "stopped"))
    assert [(n.number, role) for n, role in swarm_roles(seen, 1)] == [(2, "worker"), (3, "worker")]
    assert [(n.number, role) for n, role in swarm_roles(seen, 3)] == [(2, "manager"), (3, "manager")]


def test_swarm_grows_to_three_managers() -> None:
    """Workers are promoted, nobody is demoted."""
    seen = lab(node(1, swarm="manager"), node(2, swarm="worker"), node(3, swarm="worker"))
    assert [(n.number, role) for n, role in swarm_roles(seen, 3)] == [(2, "manager"), (3, "manager")]
    three = lab(*(node(number, swarm="manager") for number in (1, 2, 3)))
    assert list(swarm_roles(three, 1)) == []


def test_managers() -> None:
    """As asked, else as many as there are, else one; never more than nodes."""
    three = lab(*(node(number, swarm="manager") for number in (1, 2, 3)))
    assert wanted_managers(lab(), None, 3) == 1
    assert wanted_managers(three, None, 3) == 3
    with pytest.raises(UsageError, match="3 managers need as many nodes, not 2"):
        wanted_managers(lab(), 3, 2)


@pytest.mark.parametrize(
    ("name", "fits"), [("lab", True), ("a-1", True), ("-a", False), ("A", False), ("a" * 31, False)]
)
def test_names(name: str, fits: bool) -> None:
    """A lab's name is part of host names and contexts."""
    assert bool(NAME.match(name)) is fits


def test_layers_that_are_there_are_not_sent() -> None:
    """The base that another image brought is left out; the same data on another base is another layer."""
    assert left_out([("base", "app")], [("base", "other")]) == {"base"}
    assert left_out([("base", "app"), ("new", "app")], [("base", "app")]) == {"base"}
    assert left_out([("base", "app")], []) == frozenset()


@given(st.lists(st.text("abc", max_size=4).map(tuple)), st.lists(st.text("abc", max_size=4).map(tuple)))
def test_nothing_needed_is_left_out(sent: list[tuple[str, ...]], there: list[tuple[str, ...]]) -> None:
    """Every layer that is left out is there already, on exactly the layers below it, in every image that has it."""
    known = {image[: depth + 1] for image in there for depth in range(len(image))}
    without = left_out(sent, there)
    for image in sent:
        for depth, layer in enumerate(image):
            assert layer not in without or image[: depth + 1] in known
