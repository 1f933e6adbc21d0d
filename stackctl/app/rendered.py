"""The rendered files of a stack: in the place of the last ones, unless Compose refuses them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from stackctl import __version__
from stackctl.app.engines import MANIFEST, launched_files
from stackctl.app.engines import compose_file as path_of
from stackctl.app.images import build_contexts
from stackctl.app.project import Project
from stackctl.domain.deployed import Deployed
from stackctl.domain.desired import SPREAD, Desired
from stackctl.domain.stack import Stack
from stackctl.errors import Problem, SpecError, StackctlError
from stackctl.planning.placement import part
from stackctl.rendering.compose import compose_file
from stackctl.rendering.swarm import swarm_files

Counts = Mapping[tuple[str, str], int]  # instances by machine and service


def files(
    project: Project, desired: Desired, images: Mapping[str, str], counts: Counts, manifest_text: str | None = None
) -> dict[str, str]:
    """Every generated file by its path in the stack's folder; on several machines each has `counts` instances."""
    contexts = build_contexts(project, images)
    rendered = {MANIFEST: manifest_text or manifest(desired, told=project.workspace.told())}
    if project.stack.engine == "swarm":
        rendered |= swarm_files(desired)
    for name, own in _parts(project.stack, desired, counts).items():
        up = "../" * name.count("/") or "./"
        builds = {tag: f"{up}images/{component}" for component, tag in images.items() if component in contexts}
        rendered[name] = compose_file(own, builds)
    for component, context in contexts.items():
        rendered |= {f"images/{component}/{name}": text for name, text in context.items()}
    return rendered


def _parts(stack: Stack, desired: Desired, counts: Counts) -> dict[str, Desired]:
    """What each Compose file is about, by its path."""
    if stack.engine == "swarm":
        own = [workload for workload in desired.workloads if workload.build]
        return {"build.yaml": replace(desired, workloads=tuple(own))} if own else {}
    if stack.engine != "hosts":
        return {path_of(stack): desired}
    return {path_of(stack, host.name): part(desired, host.name, counts) for host in stack.hosts}


def manifest(
    desired: Desired, deployed: Mapping[str, Deployed] | None = None, told: Mapping[str, str] | None = None
) -> str:
    """What was launched, in stackctl's words; `told` is what running parts were told last."""
    left = {name: asdict(what) for name, what in (deployed or {}).items() if what != Deployed()}
    # Of what each machine has under the same name, that machine is said too.
    names = {id(w): w.name if w.role in SPREAD or not w.nodes else f"{w.name}@{w.nodes[0]}" for w in desired.workloads}
    data = {
        "schema": "stackctl/manifest/v1",
        "stackctl": __version__,
        "stack": desired.stack,
        "engine": desired.engine,
        "replicas": {w.name: w.replicas for w in desired.workloads if w.role == "service"},
        "images": {names[id(w)]: w.image for w in desired.workloads},
        "digests": {names[id(w)]: w.digest for w in desired.workloads},
        "told": dict(told or {}),
        **({"deployed": left} if left else {}),
    }
    return json.dumps(data, indent=2) + "\n"


@contextlib.contextmanager
def written_files(
    project: Project, desired: Desired, images: Mapping[str, str], counts: Counts, manifest_text: str | None = None
) -> Iterator[None]:
    """The files of a launch, in the place of the last one's; they stay unless Compose refuses them.

    Compose reads its file before it does anything, so a refusal is found by the launch itself: then the last files are
    back and `SpecError` is raised.
    """
    before = project.workspace.read(launched_files(project.stack))
    project.workspace.write(files(project, desired, images, counts, manifest_text))
    try:
        yield
    except SpecError:
        raise
    except StackctlError:
        accepted(project, before)
        raise


def accepted(project: Project, before: Mapping[str, str | None]) -> None:
    """Ask Compose about the files; where it refuses them, what was there before is back and `SpecError` is raised."""
    try:
        project.engine.check()
    except SpecError as error:
        project.workspace.restore(before)
        problem = Problem(project.stack.origin, "", f"Compose refuses the rendered file: {error.hint}")
        hint = "the `compose:` keys of a service are passed through as they are"
        raise SpecError((problem,), id=error.id, hint=hint) from error
