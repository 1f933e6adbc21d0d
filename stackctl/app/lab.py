"""`lab`: Docker nodes on this machine, each its own engine, for Swarm and for stacks on several hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar, cast

import stackctl
from stackctl.app.lab_nodes import as_swarm, description, make_node, ready, with_contexts
from stackctl.app.locking import locked
from stackctl.domain.image import ImageBuild, ImagePolicy
from stackctl.domain.lab import Cut, Lab, Node
from stackctl.engine.contexts import contexts, own_file, remove_context
from stackctl.engine.lab import LabEngine
from stackctl.errors import StackctlError, Unreachable, UsageError
from stackctl.planning.lab import labels, missing, network_name, new_node, spare, stopped, wanted_managers
from stackctl.ports import Progress
from stackctl.rendering.images import COMPONENTS, image_build
from stackctl.spec.bundled import bundled

P = ParamSpec("P")
T = TypeVar("T")
Change = Callable[Concatenate[str, P], T]


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


def lock_file(name: str) -> Path:
    """What a lab's changing commands lock; it lies where the contexts of its nodes do."""
    return own_file(f"lab-{name}.lock")


def _alone(change: Change[P, T]) -> Change[P, T]:
    """One changing command a lab; raises `StackctlError` (`lab-locked`) naming the holder."""

    @wraps(change)
    def alone(name: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with locked(lock_file(name), f"lab {change.__name__}", "lab"):
            return change(name, *args, **kwargs)

    return alone


@_alone
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
        make_node(engine, node, build.tag)

    def start(node: Node) -> None:
        progress.step(node.name, "starting")
        engine.start(node)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, missing(lab, count)))
        list(pool.map(start, stopped(lab)))
    lab = with_contexts(engine, engine.observe(name, network_name(name)))
    lab = ready(engine, lab, timeout, progress)
    return as_swarm(engine, lab, managers, timeout, progress) if swarming else lab


@_alone
def down(name: str, progress: Progress) -> tuple[str, ...]:
    """Remove the lab and all that belongs to it; the names of its nodes. One that is not there is no error."""
    engine = LabEngine()
    nodes = tuple(node.name for node in engine.observe(name, network_name(name)).nodes)
    for node in nodes:
        progress.step(node, "removing")
    engine.remove(name)
    for context in contexts(description(name)):
        remove_context(context)
    lock_file(name).unlink()
    return nodes


@_alone
def stop(name: str, number: int, progress: Progress) -> None:
    """A machine dies: everything on it at once, nothing said to anybody. Dead already is no error."""
    engine, node = _find(name, number)
    if node.condition != "stopped":
        engine.kill(node)
    progress.step(node.name, "dead")


@_alone
def start(name: str, number: int, timeout: float, progress: Progress) -> None:
    """A machine comes back with its data and under its address; waits until its engine answers."""
    engine, node = _find(name, number)
    if node.condition == "stopped":
        progress.step(node.name, "starting")
        engine.start(node)
    ready(engine, Lab(name, nodes=(node,)), timeout, progress)


@_alone
def partition(name: str, number: int, progress: Progress, *, wholly: bool) -> None:
    """A node is cut off from the network; wholly, or this machine still reaches its engine."""
    _cut(name, number, "all" if wholly else "most", progress)


@_alone
def heal(name: str, number: int, progress: Progress) -> None:
    """The cable is back."""
    _cut(name, number, "none", progress)


@_alone
def load(name: str, references: Sequence[str], *, images: str, progress: Progress) -> tuple[str, ...]:
    """Give every node that answers these images; stackctl's own by their component's name. The references."""
    from stackctl.engine.lab_images import send

    lab = LabEngine().observe(name, network_name(name))
    answering = [node for node in lab.nodes if node.condition == "ready"]
    if not answering:
        raise _no_lab(name) if not lab.nodes else Unreachable("lab-silent", f"no node of lab {name} answers")
    own = [own_image(reference) for reference in references if reference in COMPONENTS]
    _ensure(own, images, progress)
    tags = {build.component: build.tag for build in own}
    wanted = tuple(tags.get(reference, reference) for reference in references)
    for node in (node for node in lab.nodes if node.condition != "ready"):
        progress.warn(f"{node.name} is {node.condition} and gets nothing")
    send(wanted, answering, progress.step)
    return wanted


def own_image(component: str) -> ImageBuild:
    """An image of stackctl's own, as it would be made from this installation."""
    return image_build(component, templates=bundled("templates"), package=Path(stackctl.__file__).parent)


def _cut(name: str, number: int, cut: Cut, progress: Progress) -> None:
    engine, node = _find(name, number)
    if node.condition == "stopped":
        hint = f"stackctl lab start {number} --name {name}"
        raise StackctlError("lab-node-stopped", f"{node.name} is dead: it has no network", where=name, hint=hint)
    engine.cut(node, cut)
    words = {"none": "healed", "most": "cut off; its engine is still reached from here", "all": "cut off"}
    progress.step(node.name, words[cut])


def _ensure(builds: Iterable[ImageBuild], policy: str, progress: Progress) -> None:
    from stackctl.engine.images import ensure

    ensure(builds, cast(ImagePolicy, policy), progress.step)


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
        "lab-unknown",
        f"there is no lab {name}",
        where=f"--name {name}",
        hint="`stackctl lab up 3` makes one, `lab list` lists them",
    )
