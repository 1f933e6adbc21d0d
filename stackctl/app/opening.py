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
    argument: str | None, file: str | None, environ: Mapping[str, str], cwd: Path, progress: Progress
) -> Project:
    """The project of STACK, `-f`, STACKCTL_FILE or ./stack.yaml; raises `UsageError` or `SpecError`."""
    path = find(argument, file, environ, cwd)
    loaded = load(path, environ)
    for warning in loaded.warnings:
        progress.warn(warning)
    is_bundled = bundled("stacks") in path.resolve().parents
    return Project(loaded.stack, workspace_of(loaded.stack, bundled=is_bundled), progress)
