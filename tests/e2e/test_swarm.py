"""A stack in a Swarm of three machines: up, scaled and deployed under load, through the death of a node, and gone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bench.load import Report
from stackctl.domain.image import BASE
from tests.e2e.laboratory import ASK, WEB, Lab, laboratory
from tests.e2e.loading import idempotent, loaded_at
from tests.e2e.scenario import Result, eventually, run

pytestmark = pytest.mark.engine

PORT = 9080
SPEC = """\
name: {name}
engine: swarm
registry:
  consul: {{servers: 3, dns: true}}
balancer:
  replicas: 2
  http: {port}
  response_timeout: 2s
services:
{web}  published:
    image: whoami
    port: 80
    replicas: 2
    route: /published
    address: host
    check: {{http: /healthz}}
  echo: {{image: echo, port: 9999, replicas: 2, route: "tcp:9999"}}
  back: {{image: backend, port: 8081, replicas: 2}}
  live: {{image: live, port: 8080, register: api, route: /live}}
"""


@dataclass(frozen=True)
class Swarm:
    """A stack and the lab that it runs in; the first node manages the Swarm."""

    name: str
    lab: Lab
    addresses: tuple[str, ...]

    def stackctl(self, *words: str, code: int | None = 0, node: int = 1, timeout: float = 240.0) -> Result:
        """A command on the stack, through one node's engine."""
        result = run(*words, cwd=self.lab.folder, timeout=timeout, DOCKER_CONTEXT=self.lab.context(node))
        assert code is None or result.code == code, f"wanted exit {code}:\n{result}"
        return result

    def verify(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The proof's document."""
        return self.stackctl("verify", "--format", "json", *words, code=code).json

    def listed(self) -> list[dict[str, Any]]:
        """What `ps` says."""
        instances: list[dict[str, Any]] = self.stackctl("ps", "--format", "json").json["instances"]
        return instances

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """What it says of a service's tasks."""
        return [instance for instance in self.listed() if instance["service"] == service]

    def container(self, node: int, service: str) -> str:
        """The container of a service on a node."""
        own = (f"label=stackctl.{kind}={name}" for kind, name in (("stack", self.name), ("service", service)))
        (id,) = self.lab.docker(node, "ps", "--quiet", *(w for one in own for w in ("--filter", one))).split()
        return id

    def nothing_lost(self, *words: str) -> None:
        """A command costs no request at the entries of both balancers."""
        first, second = self.addresses[:2]
        inner: list[Report] = []

        def act() -> None:
            inner.append(loaded_at(second, PORT, lambda: self.stackctl(*words), rate=60.0))

        report = loaded_at(first, PORT, act, rate=60.0) + inner[0]
        assert report.sent > 200, report
        assert not report.lost, f"{report.lost} of {report.sent} lost: {report.reasons}"

    def fails(self, number: int, fault: str, end: str) -> None:
        """A node is lost and comes back; meanwhile an entry of another one answers every GET."""
        node, other = self.lab.context(number), next(n for n in (1, 2) if n != number)

        def lose() -> None:
            self.lab.stackctl(fault, str(number))
            eventually(lambda: self.misses(node, other), f"the proof to name {node}", timeout=90)

        try:
            report = loaded_at(self.addresses[other - 1], PORT, lose, rate=60.0)
        finally:  # whatever was seen, the tests that follow need every node
            self.lab.stackctl(end, str(number))
        assert idempotent(report) == 0, dict(report.reasons)
        words = ("verify", "--timeout", "300s", "--format", "json")  # of which the Swarm may elect for minutes
        document = self.stackctl(*words, node=other, timeout=330).json
        print(f"{fault} {number}: converged after {document['converged_after_s']} s")

    def misses(self, name: str, node: int) -> bool:
        """Whether the proof, through that node, differs because of the one with this name."""
        result = self.stackctl("verify", code=None, node=node)
        return result.code == 3 and name in result.stdout

    def left(self, number: int) -> str:
        """What a node has of the stack."""
        own = ["--filter", f"label=stackctl.stack={self.name}"]
        found = [self.lab.docker(number, *what, "ls", "--quiet", *own) for what in (["volume"], ["network"])]
        found.append(self.lab.docker(number, "ps", "--all", "--quiet", *own))
        return "".join(found)


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """The stack up and proven, shared by the module in the order of its tests; nothing of the lab is left."""
    with laboratory(tmp_path_factory.mktemp("swarm"), 3, "--swarm") as lab:
        addresses = tuple(str(node["address"]) for node in lab.nodes())
        own = Swarm(f"e2e-{uuid.uuid4().hex[:6]}", lab, addresses)
        (lab.folder / "stack.yaml").write_text(SPEC.format(name=own.name, port=PORT, web=WEB))
        own.stackctl("up", timeout=400)
        yield own


def test_proven_through_each_balancer(swarm: Swarm) -> None:
    """Both balancers serve what is routed, from inside and at their nodes; `plan` has nothing to do."""
    document = swarm.verify()
    routed = [service for service in document["services"] if service["name"] != "back"]
    for service in routed:
        assert len(service["layers"]["config"]) == 2
        ways = service["layers"]["traffic"]
        port = 9999 if service["name"] == "echo" else PORT
        entries = {f"entry {address}:{port}" for address in swarm.addresses[:2]}
        assert len(ways) == 4 and entries <= ways.keys()
        assert all(set(way["by_instance"]) == set(service["desired"]) for way in ways.values())
    nodes = [swarm.lab.context(number) for number in (1, 2, 3)]
    listed = swarm.listed()
    at = {task["service"]: task["node"] for task in listed}
    assert [at[f"consul-{number}"] for number in (1, 2, 3)] == nodes
    assert {task["node"] for task in listed if task["role"] == "registrator"} == set(nodes)
    hosts = {task["endpoint"].rpartition(":")[0] for task in listed if task["service"] == "published"}
    assert hosts <= set(swarm.addresses), "registered at their nodes' addresses"
    assert swarm.stackctl("plan").stdout.strip() == "nothing to do"


def test_names_are_answered_on_every_node(swarm: Swarm) -> None:
    """A container on each node finds the internal service by its name in Consul's DNS, and is answered; it asks the
    agent of its own node, and none elsewhere."""
    back = sorted(task["endpoint"].rpartition(":")[0] for task in swarm.tasks("back"))
    for number in (1, 2, 3):
        addresses, said = swarm.lab.docker(number, "exec", swarm.container(number, "web"), "python3", "-c", ASK).split(
            "\n", 1
        )
        assert addresses.split() == back
        assert "this is httpbackendservice" in said
    agent = swarm.container(3, "consul-agent")
    swarm.lab.docker(3, "pause", agent)
    asked = ("getent", "ahostsv4", "back.service.dc1.consul")
    assert swarm.lab.docker(3, "exec", swarm.container(3, "web"), *asked, check=False) == ""
    assert swarm.lab.docker(1, "exec", swarm.container(1, "web"), *asked).split()[0] in back
    swarm.lab.docker(3, "unpause", agent)
    assert swarm.verify("--timeout", "90s")["converged"]


def test_what_it_shows_can_be_used(swarm: Swarm) -> None:
    """Names from `ps` are taken by `drain`, `logs` and `config`, in short as well."""
    (task,) = [task["id"] for task in swarm.tasks("web") if task["id"].startswith(f"{swarm.name}_web.2.")]
    swarm.stackctl("drain", "web.2")
    first = swarm.verify(code=3)["services"][0]["first_divergence"]
    assert (first["layer"], first["missing"]) == ("engine", [task]) and "draining" in first["reason"]
    swarm.stackctl("undrain", task)
    assert swarm.verify("--timeout", "90s")["converged"]
    assert task in swarm.stackctl("config", "lb.1").stdout
    assert f"{swarm.name}_lb.2." in swarm.stackctl("logs", "lb", "--tail", "1").stdout


def test_scaled_under_load(swarm: Swarm) -> None:
    """Instances come, and most go at once, without a lost request: who is to end is out of every balancer before."""
    swarm.nothing_lost("scale", "web=6")
    assert len(swarm.tasks("web")) == 6
    swarm.nothing_lost("scale", "web=2")
    assert len(swarm.verify()["services"][0]["desired"]) == 2


def test_deployed_under_load(swarm: Swarm) -> None:
    """Every instance is another one afterwards, and nothing was lost."""
    before = {task["id"] for task in swarm.tasks("web")}
    swarm.nothing_lost("deploy", "web", "--force")
    assert not before & {task["id"] for task in swarm.tasks("web")}


def test_a_bad_deploy_is_undone(swarm: Swarm) -> None:
    """An image whose tasks end is taken back: exit 5, why, and the service as it was."""
    result = swarm.stackctl("deploy", "web", "--image", BASE, code=5)
    assert "error[rolled-back]" in result.stderr and "the Swarm rolled it back" in result.stderr
    assert all("whoami" in task["image"] for task in swarm.tasks("web"))
    assert swarm.verify("--timeout", "90s")["converged"]
    assert swarm.stackctl("plan").stdout.strip() != "nothing to do", "`scale` left another number than the spec's"


def test_a_worker_can_not_be_told(swarm: Swarm) -> None:
    """Through a worker's engine, or one in no Swarm, the command ends with what to do instead."""
    assert "error[swarm-worker]" in swarm.stackctl("ps", node=2, code=2).stderr
    alone = run("ps", cwd=swarm.lab.folder, DOCKER_CONTEXT="default")
    assert alone.code == 2 and "error[swarm-none]" in alone.stderr


def test_the_node_of_consuls_leader_dies_and_comes_back(swarm: Swarm) -> None:
    """It has instances, leads Consul, and is one of three managers: the entry answers all the time, the proof through
    another manager names the node, and holds again by itself when it is back."""
    swarm.lab.stackctl("up", "3", "--swarm", "--managers", "3")
    swarm.stackctl("scale", "web=6")  # of two, a Swarm may have put both on one node: then nobody would remain
    assert len({task["node"] for task in swarm.tasks("web")}) > 1
    leader = swarm.stackctl("status", "--format", "json").json["consul"]["leader"]
    (at,) = {task["node"] for task in swarm.tasks(leader)}
    swarm.fails(next(n for n in (1, 2, 3) if swarm.lab.context(n) == at), "stop", "start")


def test_a_node_is_cut_off_and_healed(swarm: Swarm) -> None:
    """What runs there goes on, unseen, beside what the Swarm starts elsewhere; all of it is as it was when it heals."""
    swarm.fails(3, "partition", "heal")


def test_down_leaves_nothing(swarm: Swarm) -> None:
    """Services, volumes on every node, networks, configs and the nodes' labels are gone."""
    swarm.stackctl("down", "--volumes")
    eventually(lambda: not any(swarm.left(number) for number in (1, 2, 3)), "the nodes to have nothing of it left")
    for what in ("service", "config", "secret"):
        assert swarm.lab.docker(1, what, "ls", "--quiet") == ""
    labels = [
        swarm.lab.docker(1, "node", "inspect", node, "--format", "{{json .Spec.Labels}}")
        for node in (swarm.lab.context(n) for n in (1, 2, 3))
    ]
    assert not any(swarm.name in label for label in labels)
