"""Instances die in every way that they can, under load: no idempotent request is lost, nobody waits for the dead."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.load import Report
from tests.e2e.scenario import Scenario, eventually, new_scenario
from tests.e2e.test_faults import CLIENTS, under_load

pytestmark = pytest.mark.engine

OUTAGE = 15.0
MEMORY = 96  # MiB that an instance may have
HOG = ("python3", "-E", "-s", "-S", "-c", f"b'x' * ({MEMORY} << 21)")
BROKEN = '{% extends "nginx.conf.j2" %}{% block http %}{{ super() }}locution;{% endblock %}'
SILENT = "2s"  # what an instance may be silent for in these stacks; the load's clients wait 10 s


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """Three instances behind one balancer that gives up silent ones soon."""
    made = new_scenario(
        tmp_path_factory.mktemp("crashes"), replicas=3, extra=f"    compose: {{mem_limit: {MEMORY}m}}\n"
    )
    spec = made.spec.read_text().replace("http: /healthz", "http: /")  # the check fails where the page does
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
    """SIGKILL: no GET is lost, of POSTs at most those that the victim had in its hands, one of each client."""
    with brought_back(three):
        report = during(three, lambda: three.container("web", 3).kill(), keep=keep)
    assert report.sent > 50
    assert (idempotent(report), report.lost <= CLIENTS) == (0, True), report.reasons
    assert report.longest < 3, "nobody waits for an address that vanished"


def test_paused(three: Scenario) -> None:
    """An instance that stops moving leaves at once; GETs that it holds are asked of another one."""
    with brought_back(three):
        report = during(three, lambda: three.container("web", 3).pause())
    assert idempotent(report) == 0, report.reasons
    assert report.lost <= CLIENTS, report.reasons


def test_half_of_them_silent(three: Scenario) -> None:
    """As many addresses as there are instances vanish at once, as with a machine, and the registry does not know yet:
    who serves is asked in the end, whatever the turn, and no request is lost."""
    network = three.client.networks.get(f"{three.name}_default").attrs["IPAM"]["Config"][0]["Subnet"]
    vanished = [str(ipaddress.ip_network(network)[-number]) for number in (2, 3, 4)]
    for address in vanished:
        ghost = {"ID": f"at-{address}", "Name": "web", "Address": address, "Port": 80}
        three.consul("PUT", "/v1/agent/service/register", ghost)

    def listed() -> bool:
        running = three.stackctl("config").stdout
        return all(address in running for address in vanished)

    def ask_often() -> None:
        assert [three.page()[0] for _ in range(40)] == [200] * 40

    try:
        eventually(listed, "the vanished addresses to be in the running config")
        report = under_load(three, ask_often, keep=True)
    finally:
        for address in vanished:
            three.consul("PUT", f"/v1/agent/service/deregister/at-{address}")
    assert dict(report.reasons) == {}, "not even a POST: it had reached nobody"
    assert three.verify("--timeout", "30s")["converged"]


def test_hanging(three: Scenario) -> None:
    """An app that accepts and says nothing fails its check and leaves; no GET is lost meanwhile."""

    with brought_back(three), contextlib.ExitStack() as frozen:
        report = during(three, lambda: frozen.enter_context(three.frozen("web", "/app/app.pyc")), victim=1)
    assert idempotent(report) == 0, report.reasons


def told(three: Scenario, since: float) -> list[str]:
    """What the registrator said of the third instance since then, in order."""
    lines = three.container("registrator").logs(since=since, stderr=False).decode().splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    return [line["event"] for line in said if line.get("id") == three.id("web", 3)]


def test_out_of_memory(three: Scenario) -> None:
    """The kernel kills an instance for want of memory: as with any kill, and it is back by itself when it restarts."""
    container, since = three.container("web", 3), time.time()
    Path(f"/proc/{container.attrs['State']['Pid']}/oom_score_adj").write_text("1000")  # it goes before the hog

    def starve() -> None:
        container.exec_run(HOG, detach=True)
        eventually(lambda: told(three, since) == ["deregistered", "registered"], "the instance to leave and be back")

    report = under_load(three, starve, keep=False)
    assert (idempotent(report), report.lost <= CLIENTS) == (0, True), report.reasons
    events = three.client.events(since=int(since), until=int(time.time()) + 1, filters={"container": container.id})
    assert '"oom"' in "".join(event.decode() for event in events)
    assert three.container("web", 3).attrs["RestartCount"] == 1
    assert three.verify("--timeout", "30s")["converged"]


def test_answering_500(three: Scenario) -> None:
    """An app that answers 500, to its check too, leaves; until then GETs are asked of another one. It comes back."""
    address = three.container("web", 3).attrs["NetworkSettings"]["Networks"][f"{three.name}_default"]["IPAddress"]

    def switch(method: str) -> None:
        url = f"http://{address}/faults/status?code=500"
        urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5).close()

    report = during(three, lambda: switch("PUT"))
    switch("DELETE")
    assert idempotent(report) == 0, report.reasons
    assert set(report.reasons) <= {"POST status 500"} and report.lost < report.sent / 6
    assert three.verify("--timeout", "30s")["converged"]


def test_one_page_that_always_fails(three: Scenario) -> None:
    """Its errors are its own: they reach who asks for it, and take no instance from anybody else."""

    def ask_often() -> None:
        assert [three.page("/?status=500")[0] for _ in range(200)] == [500] * 200

    report = under_load(three, ask_often, keep=True, rate=200)
    assert report.sent > 50
    assert dict(report.reasons) == {}


def follower(three: Scenario) -> str:
    """A Consul server that does not lead."""
    leader = three.stackctl("status", "--format", "json").json["consul"]["leader"]
    return next(name for name in ("consul-1", "consul-2", "consul-3") if name != leader)


@pytest.mark.parametrize("part", ["registrator", "consul-agent", "a Consul server"])
def test_part_killed(three: Scenario, part: str) -> None:
    """SIGKILL for one part: it is back by itself, a new instance joins, one leaves, and not a request is lost."""
    part = follower(three) if part == "a Consul server" else part
    began = three.container(part).attrs["State"]["StartedAt"]

    def kill_and_scale() -> None:
        os.kill(three.container(part).attrs["State"]["Pid"], signal.SIGKILL)
        eventually(lambda: three.container(part).attrs["State"]["StartedAt"] != began, "the part to be back")
        three.stackctl("scale", "web=4")
        three.stackctl("scale", "web=3")

    report = under_load(three, kill_and_scale, keep=False)
    assert dict(report.reasons) == {}
    assert three.verify("--timeout", "60s")["converged"]


def test_registry_agent_doubts_everybody(tmp_path: Path) -> None:
    """Consul's agent, started again, calls all critical until it has asked them: the balancer waits for its checks."""
    scenario = new_scenario(tmp_path, replicas=2)
    # The first check comes at any moment of the first interval: the longer that is, the surer none was made at first.
    scenario.spec.write_text(scenario.spec.read_text().replace("interval: 1s", "interval: 20s"))

    def passing() -> int:
        return len(scenario.consul("GET", "/v1/health/service/web?passing"))

    def doubts() -> bool:
        began = scenario.container("consul-agent").attrs["State"]["StartedAt"]
        os.kill(scenario.container("consul-agent").attrs["State"]["Pid"], signal.SIGKILL)
        eventually(
            lambda: scenario.container("consul-agent").attrs["State"]["StartedAt"] != began, "the agent to be back"
        )
        with contextlib.suppress(AssertionError):
            return bool(eventually(lambda: answered(passing) == 0, "it to doubt everybody", timeout=8))
        return False

    def kill_and_wait() -> None:
        assert any(doubts() for _ in range(6)), "an agent that has asked nobody yet was not seen"
        eventually(lambda: answered(passing) == 2, "it to have asked everybody")

    try:
        scenario.stackctl("up", timeout=600)
        report = under_load(scenario, kill_and_wait, keep=False)
        assert dict(report.reasons) == {}
        assert scenario.verify("--timeout", "60s")["converged"]
    finally:
        scenario.clean()


def answered(question: Callable[[], int]) -> int | None:
    """What Consul says, or None while it says nothing."""
    with contextlib.suppress(OSError):
        return question()
    return None


def test_broken_candidate(three: Scenario) -> None:
    """What nginx refuses never runs: under load the last config goes on, also past an instance that dies meanwhile."""
    spec = three.spec.read_text()
    (three.folder / "broken.conf.j2").write_text(BROKEN)

    def break_and_kill() -> None:
        three.spec.write_text(spec.replace("balancer:\n", "balancer:\n  template: broken.conf.j2\n"))
        assert 'unknown directive "locution"' in three.stackctl("up", "--timeout", "10s", code=3).stdout
        three.container("web", 3).kill()
        found = three.verify(code=3)["services"][0]["first_divergence"]
        assert (found["layer"], found["missing"]) == ("engine", [three.id("web", 3)])
        assert three.id("web", 3) in three.stackctl("config").stdout
        three.spec.write_text(spec)
        three.stackctl("up")

    try:
        report = under_load(three, break_and_kill, keep=False)
    finally:
        three.spec.write_text(spec)
    assert (idempotent(report), report.lost <= CLIENTS) == (0, True), report.reasons
    assert three.verify()["converged"]


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
