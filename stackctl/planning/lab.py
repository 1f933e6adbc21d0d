"""What a lab consists of: names, addresses, each engine's configuration, and what is missing for N nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from stackctl.domain.lab import ENGINE_PORT, FOLDER, LAB, NODE, Lab, NewNode, Node
from stackctl.errors import UsageError

FIRST_HOST = 10  # node 1 is .11: the gateway, and what a person adds by hand, lie below
SPARE = range(100, 110)  # of these the engine gives none away: addresses for nodes to share
BLOCKS = tuple(IPv4Network(f"10.{second}.0.0/16") for second in range(213, 223))


def network_name(lab: str) -> str:
    """The bridge network of a lab."""
    return f"stackctl-{lab}"


def node_name(lab: str, number: int) -> str:
    """A node's container, volume, host name and Docker context, all the same."""
    return f"stackctl-{lab}-{number}"


def labels(lab: str) -> Mapping[str, str]:
    """On everything that belongs to a lab."""
    return {LAB: lab}


def new_node(lab: str, number: int, subnet: IPv4Network) -> NewNode:
    """A node by its number. Its address follows from it, so that a node that comes back keeps it."""
    return NewNode(
        lab=lab,
        number=number,
        name=node_name(lab, number),
        network=network_name(lab),
        address=subnet[FIRST_HOST + number],
        gateway=subnet[1],
        daemon=daemon(lab, number, subnet),
        labels={**labels(lab), NODE: str(number)},
    )


def spare(subnet: IPv4Network) -> tuple[IPv4Address, ...]:
    """The addresses that nobody gets by himself, as far as the network has them."""
    return tuple(subnet[number] for number in SPARE if number < subnet.num_addresses - 1)


def pools(subnet: IPv4Network) -> tuple[IPv4Network, IPv4Network]:
    """Where the nodes' own networks and a Swarm's overlays take their addresses: not from the lab's network."""
    inside, overlays, *_ = (block for block in BLOCKS if not block.overlaps(subnet))
    return inside, overlays


def daemon(lab: str, number: int, subnet: IPv4Network) -> Mapping[str, object]:
    """A node's daemon.json. Mutual TLS: whoever lacks the node's client certificate is refused.

    The labels let a Swarm place by them, and let a command see that it talks to a node.
    """
    return {
        "hosts": ["unix:///run/docker.sock", f"tcp://0.0.0.0:{ENGINE_PORT}"],
        "tlsverify": True,
        "tlscacert": f"{FOLDER}/ca.pem",
        "tlscert": f"{FOLDER}/server.pem",
        "tlskey": f"{FOLDER}/server.key",
        "storage-driver": "overlay2",
        "default-address-pools": [{"base": str(pools(subnet)[0]), "size": 24}],
        "labels": [f"{LAB}={lab}", f"{NODE}={number}"],
    }


def missing(lab: Lab, count: int) -> tuple[int, ...]:
    """The numbers of the nodes to be made for there to be `count`."""
    return tuple(number for number in range(1, count + 1) if lab.node(number) is None)


def stopped(lab: Lab) -> tuple[Node, ...]:
    """The nodes to be started: a lab that is up has none that is dead."""
    return tuple(node for node in lab.nodes if node.condition == "stopped")


def wanted_managers(lab: Lab, asked: int | None, count: int) -> int:
    """How many managers the Swarm is to have: as asked, else as many as there are, else one.

    Raises `UsageError` for a number that the lab can't have.
    """
    managers = asked or max(len(lab.managers), 1)
    if managers > count:
        hint = f"`stackctl lab up {managers} --swarm --managers {managers}`"
        raise UsageError("lab-managers", f"{managers} managers need as many nodes, not {count}", hint=hint)
    return managers


def swarm_roles(lab: Lab, managers: int) -> Iterator[tuple[Node, str]]:
    """The nodes that are not yet what they are to be in the Swarm, and what: the first ones manage it."""
    for node in lab.nodes:
        role = "manager" if node.number <= managers else "worker"
        if node.condition == "ready" and (not node.swarm or (role == "manager" and node.swarm != role)):
            yield node, role
