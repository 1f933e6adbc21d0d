"""The registrator beside a real engine and a real Consul, through everything that goes wrong."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stackctl.domain.catalog import Registration
from stackctl.domain.instance import Endpoint
from stackctl.registry.consul import Consul
from tests.integration.lab import PYTHON, SOCKET, Lab, eventually, lab

pytestmark = pytest.mark.engine

MEMORY_LIMIT = 40 * 1024  # kB


@pytest.fixture(scope="module")
def consul() -> Iterator[Lab]:
    """Consul, shared by the module."""
    with lab() as made:
        yield made


@pytest.fixture
def site(consul: Lab) -> Iterator[Lab]:
    """Consul and nothing else; what a test starts besides is removed after it."""
    yield consul
    for container in consul.engine.containers.list(all=True, filters={"name": consul.name}):
        if not str(container.name).startswith(f"{consul.name}-consul-"):
            container.remove(force=True, v=True)
    for held in consul.consul(lambda registry: registry.registrations()):
        consul.consul(partial(Consul.deregister, id=held.id))


def names(site: Lab, service: str = "web") -> set[str]:
    """Who is registered; that Consul's own check has failed is not enough to be out."""
    return set(site.catalog(service))


def become(site: Lab, *expected: str, timeout: float = 5.0) -> float:
    """Wait until exactly these are registered, and pass; the seconds that it took."""

    def seen() -> bool:
        catalog = site.catalog()
        return catalog.keys() == set(expected) and all(entry.passing for entry in catalog.values())

    return eventually(f"exactly {sorted(expected)} are registered", seen, timeout)


def test_every_way_out_and_back(site: Lab) -> None:
    """Kill, stop, pause, and a lost network take an instance out at once; whoever comes back is registered again."""
    site.start_registrator()
    (web,) = site.apps("web-1")
    site.apps("web-2")
    for leave, back in (
        (web.kill, web.start),
        (web.stop, web.start),
        (web.pause, web.unpause),
        (lambda: site.network.disconnect(web), lambda: site.network.connect(web)),
    ):
        leave()
        become(site, "web-2", timeout=1)
        back()
        become(site, "web-1", "web-2")
    web.remove(force=True)
    become(site, "web-2", timeout=1)


def test_restart_with_another_address(site: Lab) -> None:
    """A restarted instance is registered with the address that it has now."""
    site.start_registrator()
    (web,) = site.apps("web-1")
    before = site.catalog()["web-1"].endpoint
    web.kill()
    become(site)
    site.apps("web-2")  # takes the address that became free
    assert site.catalog()["web-2"].endpoint == before
    web.start()
    become(site, "web-1", "web-2")
    assert site.catalog()["web-1"].endpoint != before


def test_rename(site: Lab) -> None:
    """A renamed instance is registered under its new name only, and is at no moment missing."""
    site.start_registrator()
    (web,) = site.apps("web-1")
    gaps: list[int] = []

    def seen() -> set[str]:
        now = names(site)
        gaps.append(not now)
        return now

    web.rename(f"{site.name}-web-9")
    eventually("only the new name is registered", lambda: seen() == {"web-9"})
    assert not any(gaps)


def test_registered_when_it_answers(site: Lab) -> None:
    """An instance that takes a second to start is registered when it answers, and never before."""
    site.start_registrator()
    site.app("slow-1", f"sleep 1; exec {PYTHON}")
    began = time.monotonic()
    eventually("it is registered", lambda: "slow-1" in site.catalog())
    assert 0.9 < time.monotonic() - began < 2.5


def test_health_check(site: Lab) -> None:
    """The engine's `unhealthy` takes an instance out, and `healthy` brings it back."""
    site.start_registrator()
    often = 200_000_000
    check = {"test": ["CMD", "test", "!", "-e", "/tmp/sick"], "interval": often, "retries": 1}
    web = site.app("web-1", healthcheck=check)
    become(site, "web-1")
    web.exec_run("touch /tmp/sick")
    become(site)
    web.exec_run("rm /tmp/sick")
    become(site, "web-1")


def test_conventions_of_registrator(site: Lab) -> None:
    """A container that only carries SERVICE_* is registered as registrator would; bad values are told."""
    registrator = site.start_registrator()
    site.app("api-1", labels={}, environment={"SERVICE_NAME": "api", "SERVICE_TAGS": "a,b", "SERVICE_X": "y"})
    site.app("bad-1", labels={}, environment={"SERVICE_NAME": "a;b"})
    eventually("api is registered", lambda: names(site, "api") == {"api-1"})
    assert site.catalog("api")["api-1"].tags == ("a", "b")
    eventually("the bad one is told", lambda: site.health()["set_aside"])
    assert "DNS label" in site.health()["set_aside"][f"{site.name}-bad-1"]
    assert any(line["event"] == "set aside" for line in site.log(registrator))


def test_burst_of_deaths(site: Lab) -> None:
    """Of many instances that die at once every one is taken out."""
    site.start_registrator()
    webs = site.apps(*(f"web-{number}" for number in range(8)))
    killers = [threading.Thread(target=web.kill) for web in webs[1:]]
    for killer in killers:
        killer.start()
    for killer in killers:
        killer.join()
    become(site, "web-0", timeout=3)


def test_killed_while_an_instance_dies(site: Lab) -> None:
    """What dies while no registrator runs is removed by the next one, which leaves what runs as it is."""
    registrator = site.start_registrator()
    dead, _ = site.apps("web-1", "web-2")
    written = create_index(site, "web-2")
    registrator.kill()
    dead.kill()
    assert "web-1" in site.catalog()
    registrator.start()
    print(f"the ghost is gone {become(site, 'web-2'):.2f} s after the start")
    assert create_index(site, "web-2") == written


def test_ends_at_once_and_leaves_registrations(site: Lab) -> None:
    """SIGTERM ends the registrator within a second, and its instances stay registered."""
    registrator = site.start_registrator()
    site.apps("web-1")
    began = time.monotonic()
    registrator.stop(timeout=5)
    print(f"stopped in {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < 1
    registrator.reload()
    assert registrator.attrs["State"]["ExitCode"] == 0
    assert names(site) == {"web-1"}


def test_maintenance_and_others_survive(site: Lab) -> None:
    """A mark of maintenance survives a repair of the registration; what others registered is never touched."""
    site.start_registrator()
    site.apps("web-1")
    id = f"{site.name}-web-1"
    (mine,) = site.consul(lambda registry: registry.registrations())
    foreign = Registration("legacy", "web", Endpoint("192.0.2.7", 8080), "legacy", "somebody")
    site.consul(lambda registry: registry.register(foreign))
    site.consul(lambda registry: registry.maintain(id, "a test"))
    stray = Registration(id, "web", mine.endpoint, mine.instance, mine.owner, tags=("stray",), check=mine.check)
    site.consul(lambda registry: registry.register(stray))
    eventually("the tag is repaired", lambda: site.catalog()["web-1"].tags == ())
    assert site.catalog()["web-1"].draining
    assert foreign in site.consul(lambda registry: registry.registrations())


def test_consul_agent_made_anew(site: Lab) -> None:
    """An agent that comes back without its data is given everything again, without what died meanwhile."""
    site.start_registrator()
    dead, _ = site.apps("web-1", "web-2")
    site.engine.containers.get(f"{site.name}-consul-agent").remove(force=True, v=True)
    dead.kill()
    eventually("the loss is told", lambda: any("registry" in why for why in site.health()["reasons"]))
    site.start_agent()
    print(f"repopulated {become(site, 'web-2'):.2f} s after the agent's first answer")
    eventually("the registrator is well", lambda: site.health()["healthy"])


def test_lost_events(site: Lab, tmp_path: Path) -> None:
    """What happens while the event stream is cut is seen as soon as it is back."""
    with Wire(tmp_path / "engine.sock") as wire:
        site.start_registrator(str(wire.path))
        dead, renamed, _ = site.apps("web-1", "web-2", "web-3")
        wire.cut()
        eventually("the loss is told", lambda: any("engine" in why for why in site.health()["reasons"]))
        dead.kill()
        renamed.rename(f"{site.name}-web-4")
        site.app("web-5")
        assert names(site) == {"web-1", "web-2", "web-3"}
        wire.mend()
        print(f"repaired {become(site, 'web-3', 'web-4', 'web-5'):.2f} s after the stream was mended")
        assert number(site, "reconnects_total") >= 1


def test_small_and_measured(site: Lab) -> None:
    """The process stays small, runs as nobody, and counts what it does."""
    registrator = site.start_registrator()
    site.apps(*(f"web-{number}" for number in range(5)))
    status = registrator.exec_run("cat /proc/1/status").output
    assert isinstance(status, bytes)
    facts = dict(line.split(":\t", 1) for line in status.decode().splitlines() if ":\t" in line)
    resident = int(facts["VmRSS"].split()[0])
    print(f"resident: {resident / 1024:.2f} MiB")
    assert resident <= MEMORY_LIMIT
    assert facts["Uid"].split() == ["65534"] * 4
    assert int(facts["CapEff"], 16) == 0
    assert number(site, "registered") == 5
    assert number(site, "events_total") >= 5 and number(site, "relists_total") >= 1


def create_index(site: Lab, name: str) -> Any:
    """Consul's number of the write that created a registration; it changes when one is removed and made again."""
    nodes = site.consul(lambda registry: registry.get("/v1/health/service/web"))
    return next(n["Service"]["CreateIndex"] for n in nodes if n["Service"]["ID"] == f"{site.name}-{name}")


def number(site: Lab, name: str) -> float:
    """One of the registrator's own numbers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{site.status_port}/metrics", timeout=2) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"stackctl_registrator_{name} "))


class Wire:
    """A socket before the engine's that can be cut and mended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole = True
        self._ends: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Wire:
        self._listener.bind(str(self.path))
        self.path.chmod(0o660)  # like the engine's own
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Break every connection, and let nobody connect."""
        self._whole = False
        for end in tuple(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self._whole = True

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(SOCKET)
                for one, other in ((near, far), (far, near)):
                    self._ends.add(one)
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        self._ends.discard(one)
