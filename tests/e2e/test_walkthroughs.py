"""The walkthrough of every bundled stack, carried out as a reader would.

They use the stacks' own names and ports: what runs under these names is taken down first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.scenario import Scenario, run
from tests.e2e.walkthrough import complaint, lacking, shell, steps

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "stacks").glob("*/README.md"))
PATIENCE = 600.0  # seconds for one command: the first one builds images


@pytest.fixture(params=PAGES, ids=lambda page: page.parent.name)
def walk(request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """A bundled stack, not up; whatever becomes of it, it is taken down."""
    folder: Path = request.param.parent
    own = Scenario(folder.name, folder, 0, 0)
    own.clean()
    yield own
    own.clean()
    if "stackctl lab up" in request.param.read_text():  # with all that still ran there
        run("lab", "down", "--name", folder.name, cwd=folder)


def test_walkthrough(walk: Scenario, tmp_path: Path) -> None:
    """Every command of the page prints what the page says, and exits with the code that it says."""
    page = walk.folder / "README.md"
    told = steps(page.read_text())
    assert told, f"{page} has no console block"
    assert not (missing := lacking(told)), f"this machine has no {', '.join(missing)}; the walkthrough needs it"
    name = str(page.relative_to(ROOT))
    with shell(tmp_path, environment()) as session:
        for step in told:
            outcome = session.run(step.command, PATIENCE)
            walk.told.append("\n".join((f"$ {step.command}", *outcome.lines, f"(exit {outcome.code})")))
            problem = complaint(name, step, outcome)
            assert not problem, problem


def environment() -> dict[str, str]:
    """This process's own, where `stackctl` is the one under test and output is for no terminal."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    source = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PATH": path, "PYTHONPATH": source, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
