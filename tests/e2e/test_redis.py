"""A stack whose registry is Redis: its whole life, and its faults under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.scenario import Scenario, eventually, new_scenario
from tests.e2e.test_faults import under_load

pytestmark = pytest.mark.engine

SPEC = """\
name: {scenario.name}
registry:
  redis: {{replicas: 1, sentinels: 3, ttl: 6s, prefix: /work, password: "pa$$wor&d"}}
balancer:
  http: {scenario.port}
services:
  webapp: {{image: {image}, port: 80, replicas: 3, route: /, weight: 10, stop_grace: 10s, register: {register}}}
"""


def redis_stack(scenario: Scenario, image: str, register: str) -> Scenario:
    scenario.spec.write_text(SPEC.format(scenario=scenario, image=image, register=register))
    return scenario


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """Three instances that registered themselves, up and proven; each test leaves them as they were."""
    shared = redis_stack(new_scenario(tmp_path_factory.mktemp("redis")), "webapp", "self")
    try:
        shared.stackctl("up", timeout=600)
        yield shared
    finally:
        shared.clean()


def master(scenario: Scenario) -> str:
    """The name of the master's service; empty while there is none."""
    return str(scenario.stackctl("status", "--format", "json").json["redis"]["master"] or "")


def backends(scenario: Scenario) -> int:
    """How many instances the running config sends requests to."""
    return str(scenario.stackctl("config", "--format", "json").json["config"]).count("        server 1")


def test_life(scenario: Scenario) -> None:
    """Three instances are proven, four are, one is, nothing is left at the end; nothing else would be changed."""
    redis_stack(scenario, "webapp", "self").stackctl("up", timeout=600)
    assert "to WebServer" in scenario.page()[1]
    assert scenario.stackctl("plan").stdout == "nothing to do\n"
    scenario.stackctl("scale", "webapp=4")
    (webapp,) = scenario.verify()["services"]
    ids = [scenario.id("webapp", number) for number in (1, 2, 3, 4)]
    assert webapp["layers"]["registry"] == ids and webapp["layers"]["config"] == {scenario.id("lb"): ids}
    config = scenario.stackctl("config").stdout
    assert config.count(" weight=10 ") == 4
    scenario.stackctl("scale", "webapp=1")
    assert scenario.instances("webapp") == (scenario.id("webapp"),)
    scenario.stackctl("down")
    scenario.stackctl("up")  # on the volumes of before
    scenario.stackctl("down", "--volumes")
    own = {"label": f"stackctl.stack={scenario.name}"}
    assert scenario.containers() == [] and scenario.client.volumes.list(filters=own) == []


def test_life_without_password(scenario: Scenario) -> None:
    """Without a password the stack is proven, grows, and gets another master, as with one."""
    redis_stack(scenario, "webapp", "self")
    scenario.spec.write_text(scenario.spec.read_text().replace(', password: "pa$$wor&d"', ""))
    scenario.stackctl("up", timeout=600)
    assert scenario.inside("redis-1", "redis-cli", "-h", "redis-2", "-e", "config", "get", "requirepass").split() == [
        "requirepass"
    ]
    scenario.stackctl("scale", "webapp=4")
    old = master(scenario)
    scenario.container(old).kill()
    eventually(lambda: master(scenario) not in ("", old), "another master")
    (webapp,) = scenario.verify("--timeout", "30s")["services"]
    assert webapp["layers"]["registry"] == [scenario.id("webapp", number) for number in (1, 2, 3, 4)]
    scenario.stackctl("up")
    assert "replica" in scenario.stackctl("status").stdout and master(scenario) not in ("", old)


def test_orphans_are_reaped(running: Scenario) -> None:
    """The heartbeat is process 1 of its container: what is left to it does not stay as a zombie."""
    running.inside("webapp", "sh", "-c", "(sleep 0.2 &)")
    states = "cat /proc/[0-9]*/stat | cut -d' ' -f3 | sort -u | tr -d '\\n'"
    assert "Z" not in running.inside("webapp", "sh", "-c", f"sleep 0.5; {states}")


def test_scaling_loses_nothing(running: Scenario) -> None:
    """Every request is answered while instances go and come."""

    def down_and_up() -> None:
        running.stackctl("scale", "webapp=1")
        running.stackctl("scale", "webapp=3")

    report = under_load(running, down_and_up, keep=True, rate=200)
    assert (report.lost, dict(report.reasons)) == (0, {})


def test_deployed(running: Scenario) -> None:
    """Whoever registers himself is replaced as everybody is: nothing is lost, and what ends at once is rolled back."""
    before = running.instances("webapp")
    report = under_load(running, lambda: running.stackctl("deploy", "webapp", "--force"), keep=False, rate=200)
    assert (report.lost, dict(report.reasons)) == (0, {})
    now = running.instances("webapp")
    assert len(now) == 3 and not set(now) & set(before)
    text = running.spec.read_text()
    ending = ', compose: {entrypoint: ["sh", "-c", "echo no such table: orders; exit 3"]}}'
    running.spec.write_text(text.rstrip().removesuffix("}") + ending + "\n")
    results = []
    report = under_load(running, lambda: results.append(running.stackctl("deploy", "webapp", code=5)), keep=True)
    running.spec.write_text(text)
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert "no such table: orders" in results[0].stderr
    assert running.instances("webapp") == now
    assert running.verify()["converged"]


def test_stopped_by_hand(running: Scenario) -> None:
    """An instance that somebody stops has deregistered before its app ends: no request is lost."""
    victim = running.instances("webapp")[-1]
    report = under_load(running, lambda: running.client.containers.get(victim).stop(timeout=10), keep=False, rate=200)
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert backends(running) == 2
    running.stackctl("up")


def test_master_killed(running: Scenario) -> None:
    """Another master is chosen, a new instance joins, the old master follows, and no request is lost meanwhile."""
    old = master(running)

    def kill_and_scale() -> None:
        running.container(old).kill()
        eventually(lambda: master(running) not in ("", old), "another master")
        running.stackctl("scale", "webapp=4")

    report = under_load(running, kill_and_scale, keep=False, rate=200)
    assert (report.lost, dict(report.reasons)) == (0, {})
    running.container(old).start()
    running.stackctl("scale", "webapp=3")
    assert running.verify("--timeout", "30s")["converged"]
    assert master(running) != old


def test_whole_registry_away(running: Scenario) -> None:
    """Without Redis and Sentinels the balancer serves what it served last, and the proof names the registry; when they
    are back, so are all registrations, and the config never had fewer."""
    parts = [running.container(name) for name in ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3")]

    def outage() -> None:
        for part in parts:
            part.kill()
        try:
            found = running.diverges("registry", missing=running.instances("webapp"))
            assert "no Sentinel" in found["reason"]
            assert " · redis master none" in running.stackctl("status").stdout
        finally:
            for part in parts:
                part.start()
        assert running.verify("--timeout", "60s")["converged"]

    report = under_load(running, outage, keep=True)
    assert (report.lost, dict(report.reasons)) == (0, {})


def test_registrator_writes_to_redis(scenario: Scenario) -> None:
    """Instances that know nothing of a registry are registered by the agent, which survives its own restart."""
    redis_stack(scenario, "whoami", "registrator").stackctl("up", timeout=600)
    scenario.container("registrator").restart()
    report = under_load(scenario, lambda: scenario.stackctl("verify", "--stable", "8s"), keep=False)
    assert (report.lost, dict(report.reasons)) == (0, {})
    scenario.stackctl("scale", "webapp=1")
    assert scenario.verify()["converged"]


@pytest.mark.parametrize(("port", "words"), [("http", "WEBAPP_PORT must be a whole number"), ("0", "WEBAPP_PORT")])
def test_bad_port(scenario: Scenario, port: str, words: str) -> None:
    """A port that is none ends the container with 2 and the reason, before the app is started."""
    redis_stack(scenario, "webapp", "self")
    text = scenario.spec.read_text().rstrip().removesuffix("}")
    scenario.spec.write_text(f"{text}, compose: {{environment: {{WEBAPP_PORT: {port!r}}}, restart: 'no'}}}}\n")
    scenario.stackctl("up", "--no-wait", timeout=600)
    eventually(lambda: scenario.container("webapp").attrs["State"]["Status"] == "exited", "the container to end")
    assert scenario.container("webapp").attrs["State"]["ExitCode"] == 2
    assert words in scenario.container("webapp").logs().decode()
