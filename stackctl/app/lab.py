"""`lab`: Docker nodes on this machine, each its own engine, for Swarm and for stacks on several hosts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import stackctl
from stackctl.app.issuing import AUTHORITY_LASTS, new_authority
from stackctl.domain.image import ImageBuild, ImagePolicy
from stackctl.domain.lab import Cut, Lab, NewNode, Node
from stackctl.engine.contexts import contexts, create_context, find_context, remove_context
from stackctl.engine.lab import LabEngine, answers
from stackctl.errors import StackctlError, Unreachable, UsageError
from stackctl.planning.lab import (
    labels,
    missing,
    network_name,
    new_node,
    pools,
    spare,
    stopped,
    swarm_roles,
    wanted_managers,
)
from stackctl.ports import Progress
from stackctl.rendering.images import COMPONENTS, image_build
from stackctl.spec.bundled import bundled

# As long as a node can live: its authority signs twice and is forgotten, so nothing could renew them.
LASTS = AUTHORITY_LASTS - timedelta(days=1)
PAUSE = 0.1  # seconds between two looks at something that comes up


@dataclass(frozen=True, slots=True)
class Swarming:
    """Whether the nodes are to be a Swarm; `managers` None leaves their number as it is."""

    wanted: bool = False
    managers: int | None = None


def listing(name: str | None) -> tuple[Lab, ...]:
    """A lab, or all of them, as they are now."""
    engine = LabEngine()
    names = engine.labs() if name is None else (name,)
    return tuple(engine.observe(lab, network_name(lab)) for lab in names)


def up(name: str, count: int, swarm: Swarming, *, images: str, timeout: float, progress: Progress) -> Lab:
    """Make the lab have at least this many nodes, all of them running and answering; a Swarm where asked or where it
    is one already. What is there and runs is left alone.

    Raises `StackctlError` where nodes can't be had, with the end of a node's log where its engine does not answer.
    """
    engine = LabEngine()
    engine.check()
    lab = engine.observe(name, network_name(name))
    if len(lab.nodes) > count:
        progress.warn(f"lab {name} has {len(lab.nodes)} nodes already; none is removed but by `stackctl lab down`")
    swarming = swarm.wanted or bool(swarm.managers) or bool(lab.managers)
    managers = wanted_managers(lab, swarm.managers, max(count, len(lab.nodes))) if swarming else 0
    build = own_image("node")
    if missing(lab, count):
        _ensure([build], images, progress)
    subnet = lab.subnet or engine.create_network(network_name(name), labels(name), spare)

    def make(number: int) -> None:
        node = new_node(name, number, subnet)
        progress.step(node.name, "creating")
        _make(engine, node, build.tag)

    def start(node: Node) -> None:
        progress.step(node.name, "starting")
        engine.start(node)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, missing(lab, count)))
        list(pool.map(start, stopped(lab)))
    lab = _with_contexts(engine, engine.observe(name, network_name(name)))
    lab = _ready(engine, lab, timeout, progress)
    return _swarm(engine, lab, managers, timeout, progress) if swarming else lab


def down(name: str, progress: Progress) -> tuple[str, ...]:
    """Remove the lab and all that belongs to it; the names of its nodes. One that is not there is no error."""
    engine = LabEngine()
    nodes = tuple(node.name for node in engine.observe(name, network_name(name)).nodes)
    for node in nodes:
        progress.step(node, "removing")
    engine.remove(name)
    for context in contexts(_description(name)):
        remove_context(context)
    return nodes


def stop(name: str, number: int, progress: Progress) -> None:
    """A machine dies: everything on it at once, nothing said to anybody. Dead already is no error."""
    engine, node = _find(name, number)
    if node.condition != "stopped":
        engine.kill(node)
    progress.step(node.name, "dead")


def start(name: str, number: int, timeout: float, progress: Progress) -> None:
    """A machine comes back with its data and under its address; waits until its engine answers."""
    engine, node = _find(name, number)
    if node.condition == "stopped":
        progress.step(node.name, "starting")
        engine.start(node)
    _ready(engine, Lab(name, nodes=(node,)), timeout, progress)


def cut(name: str, number: int, cut: Cut, progress: Progress) -> None:
    """A node is cut off from the network, or heals."""
    engine, node = _find(name, number)
    if node.condition == "stopped":
        hint = f"stackctl lab start {number} --name {name}"
        raise StackctlError("lab-node-stopped", f"{node.name} is dead: it has no network", where=name, hint=hint)
    engine.cut(node, cut)
    words = {"none": "healed", "most": "cut off; its engine is still reached from here", "all": "cut off"}
    progress.step(node.name, words[cut])


def load(name: str, references: Sequence[str], *, images: str, progress: Progress) -> tuple[str, ...]:
    """Give every node that answers these images; stackctl's own by their component's name. The references."""
    from stackctl.engine.lab_images import send

    lab = LabEngine().observe(name, network_name(name))
    ready = [node for node in lab.nodes if node.condition == "ready"]
    if not ready:
        raise _no_lab(name) if not lab.nodes else Unreachable("lab-silent", f"no node of lab {name} answers")
    own = [own_image(reference) for reference in references if reference in COMPONENTS]
    _ensure(own, images, progress)
    tags = {build.component: build.tag for build in own}
    wanted = tuple(tags.get(reference, reference) for reference in references)
    for node in (node for node in lab.nodes if node.condition != "ready"):
        progress.warn(f"{node.name} is {node.condition} and gets nothing")
    send(wanted, ready, progress.step)
    return wanted


def own_image(component: str) -> ImageBuild:
    """An image of stackctl's own, as it would be made from this installation."""
    return image_build(component, templates=bundled("templates"), package=Path(stackctl.__file__).parent)


def _ensure(builds: Iterable[ImageBuild], policy: str, progress: Progress) -> None:
    from stackctl.engine.images import ensure

    ensure(builds, cast(ImagePolicy, policy), progress.step)


def _make(engine: LabEngine, node: NewNode, image: str) -> None:
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


def _with_contexts(engine: LabEngine, lab: Lab) -> Lab:
    """The lab, each node with a context; one that is missing (another account, a cleaned home) is made again."""
    for node in lab.nodes:
        found = find_context(node.name)
        if found is None or found.host != node.url:
            credentials = {name: engine.read(node, name) for name in ("ca.pem", "cert.pem", "key.pem")}
            create_context(node.name, _description(lab.name), node.url, credentials)
    return lab


def _description(lab: str) -> str:
    return f"a node of stackctl's lab {lab}"


def _ready(engine: LabEngine, lab: Lab, timeout: float, progress: Progress) -> Lab:
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


def _swarm(engine: LabEngine, lab: Lab, managers: int, timeout: float, progress: Progress) -> Lab:
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


def _find(name: str, number: int) -> tuple[LabEngine, Node]:
    engine = LabEngine()
    lab = engine.observe(name, network_name(name))
    node = lab.node(number)
    if node is None:
        if not lab.nodes:
            raise _no_lab(name)
        numbers = ", ".join(str(node.number) for node in lab.nodes)
        raise UsageError("lab-node-unknown", f"lab {name} has no node {number}", where=name, hint=f"it has {numbers}")
    return engine, node


def _no_lab(name: str) -> UsageError:
    return UsageError(
        "lab-unknown", f"there is no lab {name}", hint="`stackctl lab up 3` makes one, `lab list` lists them"
    )
