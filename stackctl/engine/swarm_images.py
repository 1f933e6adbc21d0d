"""Images on a Swarm's nodes: a manager knows nothing of them, so each node's own engine is asked and given them.

A node's engine is reached by the Docker context that has the node's host name. Without one the node has to pull.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import docker

from stackctl.domain.host import Host
from stackctl.domain.swarm import SwarmNode
from stackctl.engine.client import at_home, connect
from stackctl.engine.contexts import find_context
from stackctl.engine.sending import Receiver, Report, images
from stackctl.engine.sending import send as send_to
from stackctl.errors import StackctlError, Unreachable

PATIENCE = 5  # seconds for a node's first answer
LOADING = 300  # seconds; a big layer takes a while to unpack
OWN = "stackctl/"  # what no registry has


@dataclass(frozen=True, slots=True)
class Node:
    """A node by its host name, and its engine where that is reached."""

    name: str
    engine: docker.DockerClient | None


def reached(node: SwarmNode) -> Node:
    """The node with its engine, if there is a context of its name and it answers."""
    if find_context(node.hostname) is None:
        return Node(node.hostname, None)
    try:
        engine = connect(Host(node.hostname, context=node.hostname), PATIENCE)
    except Unreachable:
        return Node(node.hostname, None)
    engine.api.timeout = LOADING
    return Node(node.hostname, engine)


def present(tags: Iterable[str], nodes: Sequence[Node]) -> set[str]:
    """Those that every node is known to have."""
    wanted = list(tags)
    found = set(wanted)
    for node in nodes:
        found &= images(node.engine, wanted).keys() if node.engine else set()
    return found


def send(tags: Iterable[str], nodes: Sequence[Node], report: Report) -> None:
    """Give each node those that it lacks and this machine has.

    Raises `StackctlError` naming a node that can't be given an image that it can't pull either.
    """
    wanted = sorted(set(tags))
    with at_home():
        found = images(connect(), wanted)
        send_to(found, [Receiver(node.name, node.engine) for node in nodes if node.engine], report)
    for node in (node for node in nodes if node.engine is None):
        if own := [tag for tag in wanted if tag.startswith(OWN)]:
            message = f"{node.name} can't be given {own[0]}: no Docker context of that name answers"
            hint = f"`docker context create {node.name} --docker host=ssh://{node.name}` makes one"
            raise StackctlError("swarm-image-missing", message, where=node.name, hint=hint)
