"""The proof on a running stack that was tampered with: each trick is named at the layer where it was played."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.scenario import Scenario, eventually

pytestmark = pytest.mark.engine

REGISTRATOR = "stackctl.agents.registrator"
BALANCER = "stackctl.agents.balancer"


@pytest.fixture(autouse=True)
def whole_before_and_after(running: Scenario) -> Iterator[None]:
    """Each trick starts from a stack that converged, and leaves one."""
    running.verify("--timeout", "30s")
    yield
    running.verify("--timeout", "30s")


def test_instance_stopped(running: Scenario) -> None:
    """(a) An instance that was stopped behind the registry's back is missing at the engine."""
    with running.frozen("registrator", REGISTRATOR):
        running.container("web", 2).kill()
        found = running.diverges("engine", missing=(running.id("web", 2),))
        assert "exited" in found["reason"]
    running.stackctl("up")


def test_registration_removed(running: Scenario) -> None:
    """(b) A registration removed by hand is missing at the registry, until the registrator repairs it by itself."""
    id = running.id("web", 2)
    with running.frozen("registrator", REGISTRATOR):
        running.consul("PUT", f"/v1/agent/service/deregister/{id}")
        running.diverges("registry", missing=(id,))
    assert running.verify("--timeout", "15s")["converged"]


def test_ghost(running: Scenario) -> None:
    """(c) A ghost registered by hand is extra at the registry; it is not ours to remove."""
    running.consul(
        "PUT", "/v1/agent/service/register", {"ID": "ghost", "Name": "web", "Address": "10.9.9.9", "Port": 80}
    )
    try:
        running.diverges("registry", extra=("ghost",))
    finally:
        running.consul("PUT", "/v1/agent/service/deregister/ghost")


@pytest.mark.parametrize("body", [{}, {"Address": "db.local", "Port": 80}], ids=["no port", "a name"])
def test_ghost_without_an_endpoint(running: Scenario, body: dict[str, object]) -> None:
    """(c) A ghost that no balancer would take is extra too: whoever else asks the registry is led there. It can be
    removed by the name that the proof tells, and not be drained, because nobody serves it."""
    running.consul("PUT", "/v1/agent/service/register", {"ID": "ghost", "Name": "web", **body})
    try:
        running.diverges("registry", extra=("ghost",))
        assert "error[set-aside]" in running.stackctl("drain", "ghost", code=2).stderr
    finally:
        running.stackctl("deregister", "ghost")
    assert running.verify("--timeout", "15s")["converged"]


def remove_server_line(running: Scenario, number: int) -> str:
    """Take one instance's server line out of the balancer's file; returns the file as it was."""
    before = running.inside("lb", "cat", "/run/stackctl/nginx.conf")
    id = running.id("web", number)
    assert id in before
    running.inside("lb", "sed", "-i", f"/# {id}$/d", "/run/stackctl/nginx.conf")
    return before


def targets(running: Scenario) -> set[str]:
    """The instances that answer a dozen requests."""
    return {found[1] for _ in range(12) if (found := re.search(r"WebServer <(.*?)>", running.page()[1]))}


def test_line_removed_without_reload(running: Scenario) -> None:
    """(d) A server line removed from the file is a difference of the config although nginx does not run it yet."""
    with running.frozen("lb", BALANCER):
        remove_server_line(running, 3)
        found = running.diverges("config", missing=(running.id("web", 3),))
        assert "edited by hand" in found["reason"]
        assert "does not run it yet" in found["reason"]
        assert len(running.verify(code=3)["services"][0]["layers"]["config"][running.id("lb")]) == 3


def test_line_removed_with_reload(running: Scenario) -> None:
    """(d) With a reload nginx runs without the instance but under the old revision's name, and is found out."""
    with running.frozen("lb", BALANCER):
        remove_server_line(running, 3)
        running.inside("lb", "sh", "-c", "kill -HUP 1")
        eventually(lambda: len(targets(running)) == 2, "nginx to serve two instances only")
        found = running.diverges("config", missing=(running.id("web", 3),))
        assert "nginx runs it" in found["reason"]
        assert len(running.verify(code=3)["services"][0]["layers"]["config"][running.id("lb")]) == 2


def test_tampering_is_repaired(running: Scenario) -> None:
    """An agent that is not frozen undoes the edit by itself, within seconds."""
    before = remove_server_line(running, 3)
    eventually(
        lambda: running.id("web", 3) in running.inside("lb", "cat", "/run/stackctl/nginx.conf"), "the agent's repair"
    )
    assert running.inside("lb", "cat", "/run/stackctl/nginx.conf") == before


def test_frozen_agent_while_scaling(running: Scenario) -> None:
    """(e) A balancer whose agent is frozen is behind in its config, and says so; nothing is drained under its feet."""
    with running.frozen("lb", BALANCER):
        running.stackctl("scale", "web=4", "--timeout", "5s", code=3)
        found = running.diverges("config", missing=(running.id("web", 4),))
        assert "its agent does not answer" in found["reason"]
    running.stackctl("verify", "--timeout", "20s")
    with running.frozen("lb", BALANCER):
        refused = running.stackctl("scale", "web=3", code=3)
        assert "drain-unconfirmed" in refused.stderr
        assert running.container("web", 4).status == "running"
    running.stackctl("scale", "web=3")


def test_errors(running: Scenario) -> None:
    """(f) An app whose check passes and whose pages fail differs at the traffic."""
    address = running.container("web", 2).attrs["NetworkSettings"]["Networks"][f"{running.name}_default"]["IPAddress"]
    tell = "import urllib.request as u; u.urlopen(u.Request('http://{}/faults/status{}', method='{}'))"
    running.inside("lb", "python3", "-c", tell.format(address, "?code=500", "PUT"))
    try:
        found = running.diverges("traffic", missing=(running.id("web", 2),))
        assert "status 500" in found["reason"]
    finally:
        running.inside("lb", "python3", "-c", tell.format(address, "", "DELETE"))


def test_paused(running: Scenario) -> None:
    """(g) A paused instance is missing at the engine."""
    running.container("web", 3).pause()
    try:
        found = running.diverges("engine", missing=(running.id("web", 3),))
        assert "paused" in found["reason"]
    finally:
        running.container("web", 3).unpause()


def test_app_hangs(running: Scenario) -> None:
    """An app that hangs while its container runs is missing at the registry, whose check it fails."""
    id = running.id("web", 1)
    with running.frozen("web", "app.py"):
        eventually(lambda: len(running.consul("GET", "/v1/health/service/web?passing")) == 2, "the check to fail")
        found = running.diverges("registry", missing=(id,))
        assert "failing its check" in found["reason"]


def test_everything_gone(running: Scenario) -> None:
    """No balancer to ask is a difference, never a pass."""
    running.container("lb").stop()
    try:
        document = running.verify(code=3)
        assert document["services"][0]["first_divergence"]["layer"] in ("registry", "config")
    finally:
        running.container("lb").start()


def test_junit(running: Scenario) -> None:
    """The JUnit report of a proof that holds has a case a service and no failure."""
    running.stackctl("verify", "--junit", "report.xml")
    text = (running.folder / "report.xml").read_text()
    assert 'tests="1"' in text
    assert "<failure" not in text
