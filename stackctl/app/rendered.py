"""The rendered files of a stack: checked by the engine first, then written."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stackctl import __version__
from stackctl.app.images import build_contexts
from stackctl.app.project import Project
from stackctl.domain.desired import Desired
from stackctl.errors import Problem, SpecError
from stackctl.rendering.compose import compose_file


def files(project: Project, desired: Desired, images: Mapping[str, str]) -> dict[str, str]:
    """Every generated file by its path in the stack's folder."""
    contexts = build_contexts(project, images)
    builds = {tag: f"./images/{component}" for component, tag in images.items() if component in contexts}
    rendered = {"compose.yaml": compose_file(desired, builds), "manifest.json": manifest(desired)}
    for component, context in contexts.items():
        rendered |= {f"images/{component}/{name}": text for name, text in context.items()}
    return rendered


def manifest(desired: Desired) -> str:
    """What was launched, in stackctl's words."""
    data = {
        "schema": "stackctl/manifest/v1",
        "stackctl": __version__,
        "stack": desired.stack,
        "replicas": {w.name: w.replicas for w in desired.workloads if w.role == "service"},
        "images": {w.name: w.image for w in desired.workloads},
        "digests": {w.name: w.digest for w in desired.workloads},
    }
    return json.dumps(data, indent=2) + "\n"


def check_compose(project: Project, desired: Desired) -> None:
    """Ask Compose about the file before it takes the place of the one that runs; raises `SpecError`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "compose.yaml"
        file.write_text(compose_file(desired, {}))
        try:
            project.engine().check(file)
        except SpecError as error:
            problem = Problem(project.stack.origin, "", f"Compose refuses the rendered file: {error.hint}")
            hint = "the `compose:` keys of a service are passed through as they are"
            raise SpecError((problem,), id=error.id, hint=hint) from error


def write_files(project: Project, desired: Desired, images: Mapping[str, str]) -> None:
    """Write the files into the stack's folder."""
    project.workspace.write(files(project, desired, images))
