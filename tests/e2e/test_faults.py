"""Parts of a running stack fail: traffic goes on, the proof says what differs, and the stack heals by itself."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from bench.load import Report, load
from tests.e2e.scenario import Scenario, eventually

pytestmark = pytest.mark.engine

CLIENTS = 10  # of the load, each with one request at a time


@pytest.fixture(autouse=True)
def whole_before_and_after(running: Scenario) -> Iterator[None]:
    """Each fault starts from a stack that converged, and ends in one; what a failed test left is put right first."""
    if running.stackctl("verify", code=None).code:
        running.stackctl("up")
    yield
    running.verify("--timeout", "60s")


def under_load(running: Scenario, act: Callable[[], object], *, keep: bool, rate: float = 100.0) -> Report:
    """What became of the requests while something was done."""

    async def both() -> Report:
        done = asyncio.Event()
        requests = asyncio.create_task(load(running.port, done, rate=rate, clients=CLIENTS, keep=keep))
        try:
            await asyncio.to_thread(act)
        finally:
            done.set()
        return await requests

    return asyncio.run(both())


def scale_down_and_up(running: Scenario) -> None:
    running.stackctl("scale", "web=1")
    running.stackctl("scale", "web=3")


@pytest.mark.parametrize("keep", [True, False], ids=["keep-alive", "fresh"])
def test_scaling_loses_nothing(running: Scenario, keep: bool) -> None:
    """Every request of a steady load is answered while two of three instances go and come."""
    report = under_load(running, lambda: scale_down_and_up(running), keep=keep, rate=200)
    assert report.sent > 500
    assert (report.lost, dict(report.reasons)) == (0, {})


def test_long_requests_outlive_the_drain(running: Scenario) -> None:
    """A request that takes seconds is answered by the instance that is on its way out."""
    answers: list[int] = []

    def slow() -> None:
        async def all_of_them() -> list[tuple[int, str]]:
            return await asyncio.gather(*(asyncio.to_thread(running.page, "/?delay=3") for _ in range(6)))

        answers.extend(status for status, _ in asyncio.run(all_of_them()))

    import threading

    requests = threading.Thread(target=slow)
    requests.start()
    address = running.container("web", 3).attrs["NetworkSettings"]["Networks"][f"{running.name}_default"]["IPAddress"]
    eventually(lambda: connected(running, address), "a request to be under way")
    running.stackctl("scale", "web=1")
    requests.join()
    assert answers == [200] * 6
    running.stackctl("scale", "web=3")


def connected(running: Scenario, address: str) -> bool:
    words = "from stackctl.agents import connections, nginx; print(list(connections.outgoing(nginx.Nginx())))"
    return f"{address}:80" in running.inside("lb", "python3", "-c", words)


@pytest.mark.parametrize(("service", "module"), [("registrator", "registrator"), ("lb", "balancer")])
def test_agents(running: Scenario, service: str, module: str) -> None:
    """Agents run as nobody special, log JSON, answer /healthz and /metrics, and end within a second of SIGTERM."""
    (row,) = [r for r in running.container(service).top()["Processes"] if f"stackctl.agents.{module}" in r[-1]]
    assert row[0] not in ("0", "root")
    lines = running.container(service).logs(stderr=False, tail=50).decode().splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    assert {"ts", "level", "agent", "event"} <= logged[-1].keys()
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8090{}').read().decode())"
    assert json.loads(running.inside(service, "python3", "-c", ask.format("/healthz")))["healthy"] is True
    assert f"# TYPE stackctl_{module}_" in running.inside(service, "python3", "-c", ask.format("/metrics"))

    began = time.time()
    running.container(service).kill("SIGTERM")
    finished = eventually(lambda: ended(running, service), "the container to end")
    assert finished - began < 1.0
    running.container(service).start()


def ended(running: Scenario, service: str) -> float:
    """When the container's last process ended, by the engine's clock, which is this machine's."""
    from datetime import datetime

    state = running.container(service).attrs["State"]
    return 0.0 if state["Running"] else datetime.fromisoformat(state["FinishedAt"][:26] + "+00:00").timestamp()


def test_balancer_agent_killed(running: Scenario) -> None:
    """nginx goes on without its agent, which comes back and follows the catalog again."""

    def kill_and_scale() -> None:
        running.signal("lb", "stackctl.agents.balancer", signal.SIGKILL)
        running.stackctl("scale", "web=4")
        running.stackctl("scale", "web=3")

    report = under_load(running, kill_and_scale, keep=True)
    assert dict(report.reasons) == {}


def test_registrator_away_while_an_instance_dies(running: Scenario) -> None:
    """A ghost that a dead registrator left is removed when one is back."""
    running.container("registrator").kill()
    running.container("web", 3).remove(force=True)
    assert len(running.consul("GET", "/v1/health/service/web")) == 3
    running.container("registrator").start()
    eventually(lambda: len(running.consul("GET", "/v1/health/service/web")) == 2, "the ghost to go")
    running.stackctl("up")


def test_consul_agent_made_anew(running: Scenario) -> None:
    """A client agent without its volume comes back under the same node id, and gets its registrations again."""
    container = running.container("consul-agent")
    ports = container.attrs["HostConfig"]["PortBindings"]
    assert ports
    running.stackctl("ps")
    (mount,) = container.attrs["Mounts"]
    container.remove(force=True)
    running.client.volumes.get(mount["Name"]).remove()
    report = under_load(running, lambda: running.stackctl("up"), keep=False)
    assert dict(report.reasons) == {}


def test_all_consul_servers_away(running: Scenario) -> None:
    """Without any registry the balancer serves what it served last, and the proof names the registry."""
    servers = [running.container(f"consul-{number}") for number in (1, 2, 3)]

    def outage() -> None:
        for server in servers:
            server.kill()
        try:
            running.diverges("registry", missing=running.instances("web"))
            assert " · consul leader none" in running.stackctl("status").stdout
        finally:
            for server in servers:
                server.start()

    report = under_load(running, outage, keep=True)
    assert dict(report.reasons) == {}


def test_leader_killed(running: Scenario) -> None:
    """Another server leads, a new instance is served, and no request is lost meanwhile."""

    def leader() -> str:
        document = running.stackctl("status", "--format", "json").json
        return str(document["consul"]["leader"] or "")

    old = eventually(leader, "a leader")

    def kill() -> None:
        running.container(old).kill()
        running.stackctl("scale", "web=4")

    report = under_load(running, kill, keep=False)
    assert dict(report.reasons) == {}
    # The client agent that lost all servers before (above) may take those that are back for failed once more: it waits
    # up to 24 s for each one's refutation, and has none of them for a second.
    eventually(lambda: leader() not in ("", old), "another leader")
    running.container(old).start()
    running.stackctl("scale", "web=3")


def test_whole_engine_restarted(running: Scenario) -> None:
    """After every container was stopped and started, by whatever hand, the stack converges again by itself."""
    containers = [running.client.containers.get(name) for name in running.containers()]
    for container in containers:
        container.kill()
    for container in containers:
        container.start()
    assert running.verify("--timeout", "60s")["converged"]


def test_looking(running: Scenario) -> None:
    """ps, status, logs and config show the running stack, for people and for programs."""
    instances = running.stackctl("ps", "--format", "json").json["instances"]
    assert {i["role"] for i in instances} == {"consul", "registrator", "balancer", "service"}
    status = running.stackctl("status", "--format", "json").json
    assert len(status["consul"]["members"]) == 4
    assert sorted(peer["state"] for peer in status["consul"]["raft_peers"]) == ["follower", "follower", "leader"]
    assert all(agent["healthy"] for agent in status["agents"])
    document = running.stackctl("config", "--format", "json").json
    assert document["revision"] == status["balancers"][0]["revision"]
    assert document["config"].count("        server 1") == 3
    assert running.inside("lb", "cat", "/run/stackctl/probe-token") not in document["config"]
    running.page()
    assert "GET / HTTP/1.1" in running.stackctl("logs", "lb", "--tail", "50").stdout
    running.stackctl("logs", "nosuch", code=2)
    running.stackctl("config", "lb-9", code=2)
