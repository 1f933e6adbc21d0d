"""Open a project: find the spec, load it, say what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackctl.app.project import Project, workspace_of
from stackctl.ports import Progress
from stackctl.spec.bundled import bundled
from stackctl.spec.find import find
from stackctl.spec.load import load


def open_stack(
    argument: str | None,
    file: str | None,
    environ: Mapping[str, str],
    cwd: Path,
    progress: Progress,
    *,
    engine: str = "",
) -> Project:
    """The project of STACK, `-f`, STACKCTL_FILE or ./stack.yaml; raises `UsageError` or `SpecError`.

    Its engine is the one named here, else the one that it was launched on, else the spec's.
    """
    path = find(argument, file, environ, cwd)
    loaded = load(path, environ, engine)
    is_bundled = bundled("stacks") in path.resolve().parents
    workspace = workspace_of(loaded.stack, bundled=is_bundled)
    launched, elsewhere = workspace.engine(), None
    if launched and launched != loaded.stack.engine:
        there = load(path, environ, launched)
        loaded, elsewhere = (loaded, there.stack) if engine else (there, None)
    for warning in loaded.warnings:
        progress.warn(warning)
    return Project(loaded.stack, workspace, progress, elsewhere, loaded.unsaid)
