"""The nodes of a lab: made, waited for until their engines answer, and joined to a Swarm."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from stackctl.app.issuing import AUTHORITY_LASTS, new_authority
from stackctl.domain.lab import Lab, NewNode, Node
from stackctl.engine.contexts import create_context, find_context, remove_context
from stackctl.engine.lab import LabEngine, answers
from stackctl.errors import StackctlError, Unreachable
from stackctl.planning.lab import network_name, pools, swarm_roles
from stackctl.ports import Progress

# As long as a node can live: its authority signs twice and is forgotten, so nothing could renew them.
LASTS = AUTHORITY_LASTS - timedelta(days=1)
PAUSE = 0.1  # seconds between two looks at something that comes up


def make_node(engine: LabEngine, node: NewNode, image: str) -> None:
    """A node with an authority of its own, whose key is never written anywhere. The client's certificate stays in the
    node as well: whoever can read it there owns the node already, and gets the context back."""
    authority = new_authority(f"stackctl lab node {node.name}")
    server = authority.issue((str(node.address), node.name, "localhost", "127.0.0.1"), LASTS)
    client = authority.issue((f"client.{node.name}",), LASTS, "client")
    files = {
        "ca.pem": authority.pem.chain,
        "server.pem": server.chain,
        "server.key": server.key,
        "cert.pem": client.chain,
        "key.pem": client.key,
    }
    remove_context(node.name)  # of a lab that was removed by hand
    engine.create(node, image, files)


def with_contexts(engine: LabEngine, lab: Lab) -> Lab:
    """The lab, each node with a context; one that is missing (another account, a cleaned home) is made again."""
    for node in lab.nodes:
        found = find_context(node.name)
        if found is None or found.host != node.url:
            credentials = {name: engine.read(node, name) for name in ("ca.pem", "cert.pem", "key.pem")}
            create_context(node.name, description(lab.name), node.url, credentials)
    return lab


def description(lab: str) -> str:
    """What the contexts of a lab's nodes say of themselves."""
    return f"a node of stackctl's lab {lab}"


def ready(engine: LabEngine, lab: Lab, timeout: float, progress: Progress) -> Lab:
    """The lab when all engines answer that can be reached; raises `StackctlError` with the end of a log."""
    began = time.monotonic()
    for node in (node for node in lab.nodes if node.cut != "all"):
        _await(lambda node=node: answers(node.name)[0], node, engine, began + timeout)  # type: ignore[misc]
        progress.step(node.name, f"ready at {node.address}")
    return engine.observe(lab.name, network_name(lab.name))


def _await(condition: Callable[[], bool], node: Node, engine: LabEngine, deadline: float) -> None:
    while not condition():
        ended = engine.trouble(node)
        if ended is not None:
            message, hint = f"{node.name}'s engine ended while it started:\n{ended}", "its log's end is above"
            raise StackctlError("lab-node-died", message, where=node.name, hint=hint)
        if time.monotonic() > deadline:
            message = f"{node.name}'s engine does not answer in time:\n{engine.log(node)}"
            hint = "its log's end is above; --timeout waits longer, `stackctl lab down` removes it"
            raise StackctlError("lab-node-not-ready", message, where=node.url, hint=hint)
        time.sleep(PAUSE)


def as_swarm(engine: LabEngine, lab: Lab, managers: int, timeout: float, progress: Progress) -> Lab:
    """The lab as a Swarm: the first nodes manage it, and every node that answers is a member."""
    from stackctl.engine import lab_swarm

    assert lab.subnet is not None
    if not lab.managers:
        first = next((node for node in lab.nodes if node.condition == "ready"), None)
        if first is None:
            raise Unreachable("lab-silent", f"no node of lab {lab.name} answers")
        lab_swarm.init(first, pools(lab.subnet)[1])
        progress.step(first.name, "made a Swarm and manages it")
        lab = engine.observe(lab.name, network_name(lab.name))
    for node, role in swarm_roles(lab, managers):
        (lab_swarm.promote(node, lab.managers[0]) if node.swarm else lab_swarm.join(node, lab.managers[0], role))
        progress.step(node.name, f"joined the Swarm as a {role}")
    _members(lab, timeout)
    return engine.observe(lab.name, network_name(lab.name))


def _members(lab: Lab, timeout: float) -> None:
    """Wait until a manager counts every node as ready that answers and is not cut off."""
    from stackctl.engine import lab_swarm

    wanted = {node.name for node in lab.nodes if node.condition == "ready" and node.cut == "none"}
    deadline = time.monotonic() + timeout
    while not wanted <= (seen := lab_swarm.ready(lab.managers[0])):
        if time.monotonic() > deadline:
            late = ", ".join(sorted(wanted - seen))
            hint = f"docker --context {lab.managers[0].name} node ls"
            raise StackctlError("lab-swarm-not-ready", f"not ready in the Swarm: {late}", where=lab.name, hint=hint)
        time.sleep(PAUSE)
