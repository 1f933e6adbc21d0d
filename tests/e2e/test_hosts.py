"""A stack on three machines: spread, proven through each balancer, and served on while a machine dies."""

from __future__ import annotations

import asyncio
import socket
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from bench.holding import Holding
from bench.impatient import Asked
from bench.load import Report
from bench.machines import MACHINES, hosts
from tests.e2e.laboratory import ASK, WEB, Lab, laboratory
from tests.e2e.loading import idempotent, loaded_at, while_doing
from tests.e2e.scenario import Result, eventually, run

pytestmark = pytest.mark.engine

PORT = 9080
WITHIN = 3.0  # seconds for clients to go on
SPEC = """\
name: {name}
engine: hosts
{hosts}registry:
  consul: {{servers: 3, dns: true}}
balancer: {{replicas: 2, http: 9080, response_timeout: 2s, virtual_address: {shared}}}
services:
{web}  echo: {{image: echo, port: 9999, replicas: 2, route: "tcp:9999"}}
  back:
    image: backend
    port: 8081
    replicas: 2
    on: [two, three]
    compose: {{ports: ["8081:8081"]}}
  live: {{image: live, port: 8080, register: api, route: /live}}
"""


@dataclass(frozen=True)
class Cluster:
    """One stack on a lab of three."""

    name: str
    lab: Lab

    def stackctl(self, *words: str, code: int | None = 0) -> Result:
        """A command on the stack; fails unless it exits with `code` (None: any)."""
        result = run(*words, cwd=self.lab.folder, timeout=300)
        assert code is None or result.code == code, f"wanted exit {code}:\n{result}"
        return result

    def address(self, node: str) -> str:
        """A machine's address."""
        address: str = self.lab.nodes()[MACHINES.index(node)]["address"]
        return address

    @property
    def shared(self) -> str:
        """The address that the balancers share: one that the lab gives to nobody."""
        return shared(self.lab)

    def holding(self) -> Holding:
        """Who has it, as the machines' kernels say."""
        return Holding(self.lab.containers(), self.shared)

    def holders(self) -> list[str]:
        """The machines that have it now."""
        return [MACHINES[int(name.rpartition("-")[2]) - 1] for name in asyncio.run(self.holding().holders())]

    def moves(self, holder: str) -> None:
        """Wait until another machine has it, too."""
        eventually(lambda: not {*self.holders()} <= {holder}, f"another machine than {holder} to have the address")

    def watched(self, act: Callable[[], object]) -> tuple[Asked, float]:
        """What became of requests to it until something was done and one was answered then; for how long two machines
        had it meanwhile."""
        asked, holding = Asked(self.shared, PORT), self.holding()

        async def watch(over: asyncio.Event) -> None:
            async with holding:
                await over.wait()

        def act_and_ask() -> None:
            eventually(lambda: asked.answered, "an answer at the address")
            act()
            done = time.monotonic()
            eventually(lambda: max(asked.answered) > done, "an answer at the address after that")

        while_doing(act_and_ask, asked.ask, watch)
        return asked, holding.several

    def ps(self) -> dict[str, str]:
        """The node of every instance."""
        return {i["id"]: i["node"] for i in self.stackctl("ps", "--format", "json").json["instances"]}

    def members(self, service: str) -> dict[str, str]:
        """The node of every instance of one service."""
        return {id: node for id, node in self.ps().items() if id.rpartition("-")[0].endswith(f"-{service}")}

    def under_load(self, act: Callable[[], object]) -> Report:
        """What became of the requests to the first machine's entry while something was done."""
        return loaded_at(self.address("one"), PORT, act)

    def leftovers(self) -> list[str]:
        """Whatever any machine that runs has of the stack."""
        own = ("--filter", f"label=stackctl.stack={self.name}", "--quiet")
        kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        return [id for n in (1, 2, 3) for kind in kinds for id in self.lab.docker(n, *kind, *own).split()]

    def converges(self) -> float:
        """The seconds until the proof holds again."""
        began = time.monotonic()
        self.stackctl("verify", "--timeout", "120s")
        return time.monotonic() - began


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three machines and a stack on them, up and proven, shared by the module in the order of its tests."""
    with laboratory(tmp_path_factory.mktemp("hosts"), 3) as lab:
        own = Cluster(f"e2e-{uuid.uuid4().hex[:6]}", lab)
        spec = SPEC.format(name=own.name, hosts=hosts(lab.context(1)[:-2]), web=WEB, shared=shared(lab))
        (lab.folder / "stack.yaml").write_text(spec)
        own.stackctl("up")
        yield own


def shared(lab: Lab) -> str:
    """An address of the lab's network that the lab gives to nobody."""
    return str(IPv4Address(lab.nodes()[0]["address"]) - 11 + 100)


def test_spread_and_proven_through_each_balancer(cluster: Cluster) -> None:
    """Instances are spread, balancers are on machines of their own, and every way in meets every instance."""
    assert sorted(cluster.members("web").values()) == sorted(MACHINES)
    assert set(cluster.members("back").values()) == {"two", "three"}
    assert sorted(cluster.members("registrator").values()) == sorted(MACHINES)
    assert len(set(cluster.members("lb").values())) == 2
    document = cluster.stackctl("verify", "--format", "json").json
    web = next(service for service in document["services"] if service["name"] == "web")
    entries = {way for way in web["layers"]["traffic"] if way.startswith("entry ")}
    addresses = {cluster.shared, *(cluster.address(node) for node in cluster.members("lb").values())}
    assert entries == {f"entry {address}:{PORT}" for address in addresses}
    assert all(set(met["by_instance"]) == set(web["desired"]) for met in web["layers"]["traffic"].values())
    status = cluster.stackctl("status", "--format", "json").json
    assert [member["name"] for member in status["consul"]["members"]] == sorted(MACHINES)
    assert all(agent["healthy"] for agent in status["agents"]) and len(status["agents"]) == 5
    assert cluster.stackctl("plan").stdout == "nothing to do\n"


def test_names_are_answered_on_every_machine(cluster: Cluster) -> None:
    """A container on each machine finds the internal service by its name in Consul's DNS, and is answered."""
    wanted = sorted(cluster.address(node) for node in ("two", "three"))
    for number, node in enumerate(MACHINES, 1):
        id = next(id for id, where in cluster.members("web").items() if where == node)
        addresses, said = cluster.lab.docker(number, "exec", id, "python3", "-c", ASK).split("\n", 1)
        assert addresses.split() == wanted
        assert "this is httpbackendservice" in said


def test_scale_and_deploy_lose_nothing(cluster: Cluster) -> None:
    """Instances come and go on every machine under load; those that go are the newest, and nothing else is touched."""
    before = cluster.members("web")

    def act() -> None:
        cluster.stackctl("scale", "web=6")
        assert sorted(cluster.members("web").values()) == sorted([*MACHINES, *MACHINES])
        cluster.stackctl("scale", "web=3")
        assert cluster.members("web") == before
        cluster.stackctl("deploy", "web", "--force", "--parallel", "3")

    report = cluster.under_load(act)
    assert report.sent > 500
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert sorted(cluster.members("web").values()) == sorted(MACHINES) and not set(before) & set(cluster.members("web"))


def test_a_machine_dies_and_comes_back(cluster: Cluster) -> None:
    """What remains goes on answering, the verdict names the machine, nothing is changed meanwhile, and it converges
    by itself when the machine is back."""

    def die() -> None:
        cluster.lab.stackctl("stop", "3")
        document = cluster.stackctl("verify", "--format", "json", code=3).json
        assert document["verdict"] == "diverged"
        for service in document["services"]:
            assert service["first_divergence"]["layer"] == "engine"
            assert service["first_divergence"]["reason"].startswith("three does not answer: ")
        refused = cluster.stackctl("scale", "web=4", code=4).stderr
        assert "error[host-unreachable]: three does not answer" in refused
        assert "warning: three does not answer" in cluster.stackctl("ps").stderr
        eventually(
            lambda: "-three-" not in cluster.stackctl("config", "one-lb-1").stdout,
            "the dead machine's instances to leave the config",
        )

    report = cluster.under_load(die)
    assert report.sent > 500
    assert idempotent(report) == 0, dict(report.reasons)
    cluster.lab.stackctl("start", "3")
    print(f"converged {cluster.converges():.1f} s after the machine's engine was back")


def test_a_machine_is_cut_off_and_healed(cluster: Cluster) -> None:
    """A machine whose engine answers while nothing else gets through is a difference too, until it heals."""
    cluster.lab.stackctl("partition", "2")
    try:
        report = cluster.under_load(
            lambda: eventually(
                lambda: "-two-" not in cluster.stackctl("config", "one-lb-1").stdout,
                "the machine's instances to leave the other balancer's config",
            )
        )
        assert idempotent(report) == 0, dict(report.reasons)
        assert "two" in cluster.stackctl("verify", code=3).stdout
    finally:
        cluster.lab.stackctl("heal", "2")
    print(f"converged {cluster.converges():.1f} s after the cable was back")


def test_the_shared_address_moves(cluster: Cluster) -> None:
    """Who has the address dies: clients go on through another machine within 3 s; it comes back, and one has it."""
    (holder,) = cluster.holders()
    assert cluster.stackctl("status", "--format", "json").json["virtual_address"]["holders"] == [holder]
    number = str(MACHINES.index(holder) + 1)

    def die() -> None:
        cluster.lab.stackctl("stop", number)
        cluster.moves(holder)

    asked, _ = cluster.watched(die)
    print(f"no answer at the address for {asked.gap:.2f} s")
    assert asked.gap < WITHIN

    def come_back() -> None:
        cluster.lab.stackctl("start", number)
        cluster.converges()

    asked, several = cluster.watched(come_back)
    assert (len(cluster.holders()), several < WITHIN, asked.gap < WITHIN) == (1, True, True), (several, asked.gap)


def test_the_shared_address_follows_nginx(cluster: Cluster) -> None:
    """Who has the address loses its nginx: another machine has the address."""
    (holder,) = cluster.holders()
    number = MACHINES.index(holder) + 1
    cluster.lab.docker(number, "kill", f"{cluster.name}-{holder}-lb-1")
    cluster.moves(holder)
    cluster.lab.docker(number, "start", f"{cluster.name}-{holder}-lb-1")
    cluster.converges()


def test_two_that_have_the_shared_address(cluster: Cluster) -> None:
    """A keepalived that is killed leaves its machine the address while another takes it: a difference, until it is
    started again and gives the address up."""
    (holder,) = cluster.holders()
    number, keeper = MACHINES.index(holder) + 1, f"{cluster.name}-{holder}-vip-1"
    cluster.lab.docker(number, "kill", keeper)
    cluster.moves(holder)
    assert len(cluster.holders()) == 2
    (web, *_) = cluster.stackctl("verify", "--format", "json", code=3).json["services"]
    assert web["first_divergence"]["layer"] == "entry"
    assert web["first_divergence"]["reason"] == f"{keeper} can't be asked: it is exited"
    cluster.lab.docker(number, "start", keeper)
    cluster.converges()
    assert len(cluster.holders()) == 1


def test_without_a_quorum_the_last_config_stays(cluster: Cluster) -> None:
    """With one of three machines left nobody leads; its balancer goes on with what it knew, and answers."""
    config = cluster.stackctl("config", "one-lb-1").stdout
    cluster.lab.stackctl("stop", "2")
    cluster.lab.stackctl("stop", "3")
    said = cluster.stackctl("status").stdout
    eventually(lambda: "leader none" in cluster.stackctl("status").stdout, "Consul to miss its leader", timeout=30)
    assert cluster.stackctl("config", "one-lb-1").stdout.count("-web-") >= 1, (config, said)
    report = cluster.under_load(lambda: cluster.stackctl("verify", code=3))
    assert idempotent(report) == 0, dict(report.reasons)
    cluster.lab.stackctl("start", "2")
    cluster.lab.stackctl("start", "3")
    print(f"converged {cluster.converges():.1f} s after both engines were back")


def test_down_names_what_it_could_not_remove(cluster: Cluster) -> None:
    """Machines that answer are cleared; the one that does not is named, and cleared when it is back. The address goes
    too, from a machine whose keepalived was killed and could not take it off."""
    cluster.lab.stackctl("stop", "3")
    holder = eventually(lambda: next(iter({*cluster.holders()} - {"three"}), ""), "a machine to have the address")
    cluster.lab.docker(MACHINES.index(holder) + 1, "kill", f"{cluster.name}-{holder}-vip-1")
    error = cluster.stackctl("down", "--volumes", code=4).stderr
    assert "error[host-unreachable]" in error and "where: three" in error
    cluster.lab.stackctl("start", "3")
    assert cluster.stackctl("down", "--volumes").stdout == f"{cluster.name} is down\n"
    assert cluster.leftovers() == []
    assert cluster.holders() == []


def test_a_bundled_stack_on_its_three_machines(cluster: Cluster) -> None:
    """What hospital is on one machine it is on three: by name, by port and inside, through each balancer."""
    own = Cluster("hospital", cluster.lab)

    def stackctl(*words: str) -> Result:
        result = run(*words, cwd=cluster.lab.folder, timeout=300, LAB=cluster.lab.context(1)[:-2])
        assert result.code == 0, result
        return result

    try:
        stackctl("up", "hospital", "--engine", "hosts")
        services = {s["name"]: s["layers"] for s in stackctl("verify", "hospital", "--format", "json").json["services"]}
        for service in ("httpfront", "tcpfront-9999"):
            ways = services[service]["traffic"]
            assert sum(way.startswith("entry ") for way in ways) == 2
            assert {"one-lb-1", "two-lb-1"} <= {way.removeprefix("hospital-") for way in ways}
        for node in ("one", "two"):
            with socket.create_connection((cluster.address(node), 9999), 5) as device:
                device.sendall(b"hello\n")
                assert device.makefile().readline().endswith(": hello\n")
            front = urllib.request.Request(
                f"http://{cluster.address(node)}:8060/", headers={"Host": "httpfront.example.test"}
            )
            with urllib.request.urlopen(front, timeout=5) as page:
                assert b"this is httpbackendservice, version: v1.0.0" in page.read()
    finally:
        stackctl("down", "hospital", "--volumes")
    assert own.leftovers() == []
