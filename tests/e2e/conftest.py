"""Stacks for the end-to-end tests: one that a whole module shares, and one of a test's own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.scenario import Scenario, new_scenario

# A shell that starts the tests in the background makes them, and every child, deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep the artefacts of a failed test while its stack still runs."""
    report: Any = yield
    scenario = next((v for v in getattr(item, "funcargs", {}).values() if isinstance(v, Scenario)), None)
    if report.failed and scenario is not None:
        folder = scenario.keep(item.name)
        report.sections.append(("artefacts", f"kept in {folder}"))
    return report


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    """A stack of the test's own, not up yet."""
    own = new_scenario(tmp_path)
    yield own
    own.clean()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """Three instances, up and proven, shared by a module; each test leaves it as it was."""
    shared = new_scenario(tmp_path_factory.mktemp("running"), replicas=3)
    try:
        shared.stackctl("up", timeout=600)
        yield shared
    finally:
        shared.clean()
