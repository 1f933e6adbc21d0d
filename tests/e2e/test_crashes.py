"""Instances die in every way that they can, under load: no idempotent request is lost, nobody waits for the dead."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bench.load import Report
from tests.e2e.scenario import Scenario, eventually, new_scenario
from tests.e2e.test_faults import under_load

pytestmark = pytest.mark.engine

OUTAGE = 15.0
SILENT = "2s"  # what an instance may be silent for in these stacks; the load's clients wait 10 s


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """Three instances behind one balancer that gives up silent ones soon."""
    made = new_scenario(tmp_path_factory.mktemp("crashes"), replicas=3)
    spec = made.spec.read_text()
    made.spec.write_text(spec.replace(f"http: {made.port}", f"http: {made.port}\n  response_timeout: {SILENT}"))
    try:
        made.stackctl("up", timeout=600)
        yield made
    finally:
        made.clean()


def during(three: Scenario, fault: Callable[[], object], *, victim: int = 3, keep: bool = False) -> Report:
    """The load's report while something happens, until the instance is out of the running config."""

    def act() -> None:
        fault()
        eventually(
            lambda: three.id("web", victim) not in three.stackctl("config").stdout, "the instance to leave the config"
        )

    return under_load(three, act, keep=keep)


def idempotent(report: Report) -> int:
    """How many GETs were lost."""
    return sum(count for reason, count in report.reasons.items() if reason.startswith("GET"))


@contextlib.contextmanager
def brought_back(three: Scenario) -> Iterator[None]:
    """The third instance as it was, whatever was done to it."""
    try:
        yield
    finally:
        container = three.container("web", 3)
        if container.status == "paused":
            container.unpause()
        three.stackctl("up")


@pytest.mark.parametrize("keep", [True, False], ids=["keep-alive", "fresh"])
def test_killed(three: Scenario, keep: bool) -> None:
    """SIGKILL: no GET is lost, of POSTs at most those that the victim had in its hands."""
    with brought_back(three):
        report = during(three, lambda: three.container("web", 3).kill(), keep=keep)
    assert report.sent > 50
    assert (idempotent(report), report.lost <= 2) == (0, True), report.reasons
    assert report.longest < 3, "nobody waits for an address that vanished"


def test_paused(three: Scenario) -> None:
    """An instance that stops moving leaves at once; GETs that it holds are asked of another one."""
    with brought_back(three):
        report = during(three, lambda: three.container("web", 3).pause())
    assert idempotent(report) == 0, report.reasons
    assert report.lost <= 3, report.reasons


def test_hanging(three: Scenario) -> None:
    """An app that accepts and says nothing fails its check and leaves; no GET is lost meanwhile."""

    with brought_back(three), contextlib.ExitStack() as frozen:
        report = during(three, lambda: frozen.enter_context(three.frozen("web", "/app/app.pyc")), victim=1)
    assert idempotent(report) == 0, report.reasons


def test_all_servers_away(three: Scenario) -> None:
    """Every Consul server is down for a while: not a request is lost, and the stack follows again afterwards."""
    servers = [three.container(f"consul-{number}") for number in (1, 2, 3)]

    def outage() -> None:
        for server in servers:
            server.kill()
        threading.Event().wait(OUTAGE)  # the fault itself has this length; nothing is waited for
        for server in servers:
            server.start()

    report = under_load(three, outage, keep=True)
    assert dict(report.reasons) == {}
    assert three.verify("--timeout", "60s")["converged"]


def test_reload_storm(three: Scenario) -> None:
    """A hundred changes within a minute: coalesced, and no request is lost on either kind of connection."""

    def storm() -> None:
        began = time.monotonic()
        for number in range(50):
            registration = {"ID": "s-1", "Name": "storm", "Address": "192.0.2.1", "Port": 1000 + number}
            three.consul("PUT", "/v1/agent/service/register", {**registration, "Meta": {"route": "/storm"}})
            three.consul("PUT", "/v1/agent/service/maintenance/s-1?enable=true")
            three.consul("PUT", "/v1/agent/service/maintenance/s-1?enable=false")
        three.consul("PUT", "/v1/agent/service/deregister/s-1")
        assert time.monotonic() - began < 60

    for keep in (True, False):
        report = under_load(three, storm, keep=keep, rate=200)
        assert dict(report.reasons) == {}
