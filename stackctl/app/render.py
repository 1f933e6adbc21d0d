"""`render`: every generated file, written without launching anything."""

from __future__ import annotations

from pathlib import Path

from stackctl.app.images import known_images
from stackctl.app.project import Project, complete
from stackctl.app.rendered import files
from stackctl.app.workspace import Workspace
from stackctl.domain.instance import EngineState
from stackctl.planning.entry import balancer_settings
from stackctl.planning.placement import placed
from stackctl.planning.reconcile import reconcile
from stackctl.planning.topology import topology
from stackctl.rendering.eject import Tool, eject
from stackctl.spec.bundled import bundled


def render(project: Project, output: Path | None, tool: Tool | None = None) -> tuple[Path, tuple[str, ...]]:
    """Write the files, or what the balancer would be with another tool; the folder and their names in it."""
    if tool:
        rendered = eject(tool, project.stack, balancer_settings(project.stack), bundled("templates"))
    else:
        project = complete(project)
        tags = known_images(project)
        desired = topology(project.stack, tags)
        nothing = EngineState()
        rendered = files(project, desired, tags, placed(nothing, reconcile(desired, nothing)))
    workspace = Workspace(output) if output else project.workspace
    workspace.write(rendered)
    return workspace.folder, tuple(sorted(rendered))
