"""`render`: every generated file, written without launching anything."""

from __future__ import annotations

from pathlib import Path

from stackctl.app.images import known_images
from stackctl.app.project import Project, complete
from stackctl.app.rendered import files
from stackctl.app.workspace import Workspace
from stackctl.planning.topology import topology


def render(project: Project, output: Path | None) -> tuple[Path, tuple[str, ...]]:
    """Write the files; the folder and their names in it."""
    project = complete(project)
    tags = known_images(project)
    rendered = files(project, topology(project.stack, tags), tags)
    workspace = Workspace(output) if output else project.workspace
    workspace.write(rendered)
    return workspace.folder, tuple(sorted(rendered))
