"""A lab: Docker nodes on one machine, each an engine of its own in a container."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

# ready: its engine answers.  silent: it runs and its engine does not answer (it starts, or is cut off from here too).
Condition = Literal["ready", "silent", "stopped"]
# What of the network a node is cut off from: nothing, everything but this machine's way to its engine, everything.
Cut = Literal["none", "most", "all"]
SwarmRole = Literal["manager", "worker", ""]

# The layers of an image from the bottom up, by digest.
Layers = tuple[str, ...]

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?\Z")
MOST_NODES = 50
ENGINE_PORT = 2376

# Labels of whatever belongs to a lab; a node's engine carries both too.
LAB, NODE = "stackctl.lab", "stackctl.node"
FOLDER = "/etc/stackctl"  # in a node: its engine's configuration, its certificates, and whether it is cut off


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it is now."""

    number: int
    name: str
    address: str
    condition: Condition
    cut: Cut = "none"
    swarm: SwarmRole = ""

    @property
    def url(self) -> str:
        """Where its engine listens, for clients with the node's certificate."""
        return f"tcp://{self.address}:{ENGINE_PORT}"


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab as it is now; without a subnet there is no network yet."""

    name: str
    subnet: IPv4Network | None = None
    nodes: tuple[Node, ...] = ()

    def node(self, number: int) -> Node | None:
        """The node with this number."""
        return next((node for node in self.nodes if node.number == number), None)

    @property
    def managers(self) -> tuple[Node, ...]:
        """Those that manage a Swarm."""
        return tuple(node for node in self.nodes if node.swarm == "manager")


@dataclass(frozen=True, slots=True)
class NewNode:
    """A node to be made: its container, the volume of its engine's data, its engine's configuration."""

    lab: str
    number: int
    name: str
    network: str
    address: IPv4Address
    gateway: IPv4Address
    daemon: Mapping[str, object]
    labels: Mapping[str, str]

    @property
    def volume(self) -> str:
        """Where its images, containers and volumes lie."""
        return self.name


def left_out(sent: Iterable[Layers], there: Iterable[Layers]) -> frozenset[str]:
    """The layers that an engine needs no data of, of images that it is sent: a layer counts with all that is below it,
    because an engine keeps the same data on other layers as another layer."""
    known = {image[: depth + 1] for image in there for depth in range(len(image))}
    stacks = {image[: depth + 1] for image in sent for depth in range(len(image))}
    return frozenset(stack[-1] for stack in stacks) - {stack[-1] for stack in stacks - known}
