"""All bundled stacks of one machine at once: no name, port or network is wanted twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.scenario import Scenario, run

pytestmark = pytest.mark.engine

STACKS = sorted(
    path.parent
    for path in (Path(__file__).parents[2] / "stacks").glob("*/stack.yaml")
    if "\nengine: hosts\n" not in path.read_text()
)


@pytest.fixture
def all_of_them() -> Iterator[list[Scenario]]:
    """Every bundled stack, not up; taken down afterwards."""
    scenarios = [Scenario(folder.name, folder, 0, 0) for folder in STACKS]
    for scenario in scenarios:
        scenario.clean()
    yield scenarios
    for scenario in scenarios:
        scenario.clean()


def test_side_by_side(all_of_them: list[Scenario], tmp_path: Path) -> None:
    """Each goes up beside the others, and when the last one is up, each is proven."""
    assert len(all_of_them) == 6
    for stack in all_of_them:
        told = run("up", stack.name, cwd=tmp_path, timeout=600)
        assert told.code == 0, told
    for stack in all_of_them:
        told = run("verify", stack.name, "--format", "json", cwd=tmp_path)
        assert told.code == 0, told
        assert all(service["first_divergence"] is None for service in told.json["services"])
    for stack in all_of_them:
        assert run("down", stack.name, "--volumes", cwd=tmp_path).code == 0
        assert stack.containers() == []
