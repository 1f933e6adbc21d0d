"""The rendered files of a stack: in the place of the last ones, unless Compose refuses them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from stackctl import __version__
from stackctl.app.images import build_contexts
from stackctl.app.project import Project
from stackctl.domain.deployed import Deployed
from stackctl.domain.desired import Desired
from stackctl.errors import Problem, SpecError, StackctlError
from stackctl.rendering.compose import compose_file

LAUNCHED = ("compose.yaml", "manifest.json")


def files(
    project: Project, desired: Desired, images: Mapping[str, str], manifest_text: str | None = None
) -> dict[str, str]:
    """Every generated file by its path in the stack's folder."""
    contexts = build_contexts(project, images)
    builds = {tag: f"./images/{component}" for component, tag in images.items() if component in contexts}
    rendered = {
        "compose.yaml": compose_file(desired, builds),
        "manifest.json": manifest_text or manifest(desired, told=project.workspace.told()),
    }
    for component, context in contexts.items():
        rendered |= {f"images/{component}/{name}": text for name, text in context.items()}
    return rendered


def manifest(
    desired: Desired, deployed: Mapping[str, Deployed] | None = None, told: Mapping[str, str] | None = None
) -> str:
    """What was launched, in stackctl's words; `told` is what running parts were told last."""
    left = {name: asdict(what) for name, what in (deployed or {}).items() if what != Deployed()}
    data = {
        "schema": "stackctl/manifest/v1",
        "stackctl": __version__,
        "stack": desired.stack,
        "replicas": {w.name: w.replicas for w in desired.workloads if w.role == "service"},
        "images": {w.name: w.image for w in desired.workloads},
        "digests": {w.name: w.digest for w in desired.workloads},
        "told": dict(told or {}),
        **({"deployed": left} if left else {}),
    }
    return json.dumps(data, indent=2) + "\n"


@contextlib.contextmanager
def written_files(
    project: Project, desired: Desired, images: Mapping[str, str], manifest_text: str | None = None
) -> Iterator[None]:
    """The files of a launch, in the place of the last one's; they stay unless Compose refuses them.

    Compose reads its file before it does anything, so a refusal is found by the launch itself: then the last files are
    back and `SpecError` is raised.
    """
    before = project.workspace.read(LAUNCHED)
    project.workspace.write(files(project, desired, images, manifest_text))
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
