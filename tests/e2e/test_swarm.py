"""A stack in a Swarm of three machines: up, scaled and deployed under load, through the death of a node, and gone."""

from __future__ import annotations

import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bench.load import Report
from stackctl.domain.image import BASE
from tests.e2e.laboratory import WEB, Lab, laboratory
from tests.e2e.loading import loaded_at
from tests.e2e.scenario import Result, eventually, run

pytestmark = pytest.mark.engine

PORT = 9080
SPEC = """\
name: {name}
engine: swarm
registry:
  consul: {{servers: 3}}
balancer:
  replicas: 2
  http: {port}
services:
{web}  published:
    image: whoami
    port: 80
    replicas: 2
    route: /published
    address: host
    check: {{http: /healthz}}
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

    def nothing_lost(self, *words: str) -> None:
        """A command costs no request at the entries of both balancers."""
        first, second = self.addresses[:2]
        inner: list[Report] = []

        def act() -> None:
            inner.append(loaded_at(second, PORT, lambda: self.stackctl(*words), rate=60.0))

        report = loaded_at(first, PORT, act, rate=60.0) + inner[0]
        assert report.sent > 200, report
        assert not report.lost, f"{report.lost} of {report.sent} lost: {report.reasons}"

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
    """Both balancers serve both services, from inside and at their nodes; `plan` has nothing to do."""
    document = swarm.verify()
    for service in document["services"]:
        assert len(service["layers"]["config"]) == 2
        ways = service["layers"]["traffic"]
        entries = {f"entry {address}:{PORT}" for address in swarm.addresses[:2]}
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


def test_what_it_shows_can_be_used(swarm: Swarm) -> None:
    """Names from `ps` are taken by `drain`, `logs` and `config`, in short as well."""
    (task,) = [task["id"] for task in swarm.tasks("web") if task["id"].startswith(f"{swarm.name}_web.2.")]
    swarm.stackctl("drain", "web.2")
    first = swarm.verify(code=3)["services"][0]["first_divergence"]
    assert (first["layer"], first["missing"]) == ("engine", [task]) and "draining" in first["reason"]
    swarm.stackctl("undrain", task)
    assert swarm.verify("--timeout", "30s")["converged"]
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
    assert swarm.verify("--timeout", "30s")["converged"]
    assert swarm.stackctl("plan").stdout.strip() != "nothing to do", "`scale` left another number than the spec's"


def test_a_worker_can_not_be_told(swarm: Swarm) -> None:
    """Through a worker's engine, or one in no Swarm, the command ends with what to do instead."""
    assert "error[swarm-worker]" in swarm.stackctl("ps", node=2, code=2).stderr
    alone = run("ps", cwd=swarm.lab.folder, DOCKER_CONTEXT="default")
    assert alone.code == 2 and "error[swarm-none]" in alone.stderr


def test_a_node_dies_and_comes_back(swarm: Swarm) -> None:
    """The entry answers all the time, the proof names the node, and holds again by itself when it is back."""
    swarm.lab.stackctl("stop", "3")
    name = swarm.lab.context(3)

    def missed() -> bool:
        result = swarm.stackctl("verify", code=None)
        return result.code == 3 and name in result.stdout

    eventually(missed, "the proof to name the node", timeout=60)
    for address in swarm.addresses[:2]:
        with urllib.request.urlopen(f"http://{address}:{PORT}/", timeout=5) as response:
            assert response.status == 200
    swarm.lab.stackctl("start", "3")
    document = swarm.verify("--timeout", "120s")
    assert document["converged"]


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
