"""Nothing that serves is taken away before what stays serves, whichever command asks for it, and however often."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.scenario import Scenario, eventually

pytestmark = pytest.mark.engine

UNFIT = '    compose: {entrypoint: [sleep, "600"]}\n'  # it runs, and nothing listens


def serving(scenario: Scenario) -> bool:
    """Whether the entry's page is there, ten times in a row."""
    return all(scenario.page()[0] == 200 for _ in range(10))


def test_up_again_after_replacements_that_do_not_serve(running: Scenario) -> None:
    """The second `up` finds the new instances made already, and still drains nobody before they serve."""
    before, text = running.instances("web"), running.spec.read_text()
    running.spec.write_text(text + UNFIT)
    for _ in range(2):
        refused = running.stackctl("up", "--timeout", "4s", code=3)
        assert "error[replacement-not-serving]" in refused.stderr
        assert {running.client.containers.get(id).status for id in before} == {"running"}
        assert serving(running)
    running.spec.write_text(text)
    running.stackctl("up")
    assert running.instances("web") == before


def test_scaled_down_to_one_that_does_not_serve(running: Scenario) -> None:
    """The oldest is out of service: another one stays, or nobody goes."""
    running.stackctl("drain", "web-1")
    refused = running.stackctl("scale", "web=1", "--timeout", "4s", code=3)
    assert "error[replacement-not-serving]" in refused.stderr and "draining" in refused.stderr
    assert len(running.instances("web")) == 3 and serving(running)
    running.stackctl("undrain", "web-1")
    running.container("web", 1).kill()
    running.stackctl("scale", "web=1")
    assert running.instances("web") == (running.id("web", 2),) and serving(running)
    running.stackctl("up")


def test_somebody_elses_project(scenario: Scenario) -> None:
    """A Compose project of the same name that is not the stack's is neither joined nor removed."""
    data = scenario.client.volumes.create(
        f"{scenario.name}_database", labels={"com.docker.compose.project": scenario.name}
    )
    try:
        for words in (("up",), ("down", "--volumes")):
            refused = scenario.stackctl(*words, code=1)
            assert "error[project-taken]" in refused.stderr and data.name in refused.stderr
        assert scenario.containers() == []
        assert scenario.client.volumes.get(data.name)
    finally:
        data.remove()


def test_ctrl_c_on_a_terminal(scenario: Scenario) -> None:
    """It reaches the whole process group, Compose too; it is told as an interruption all the same."""
    process = scenario.start("up")
    eventually(scenario.containers, "the first container", timeout=300)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "error[" not in errors and "Traceback" not in errors
    scenario.stackctl("up")
    assert scenario.verify()["converged"]
