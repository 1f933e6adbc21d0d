"""A lab: nodes that are engines of their own, that die, are cut off and come back, and that form a Swarm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import docker
import pytest

from stackctl.engine.commands import docker_cli
from tests.e2e.laboratory import Lab, laboratory
from tests.e2e.scenario import STACKCTL, eventually, run

pytestmark = pytest.mark.engine

SERVICE = "web"
# Names of a network in a Swarm are resolved by the engine; who answers under each address is asked one by one.
ASK = """
import socket
for row in socket.getaddrinfo("web", 80, type=socket.SOCK_STREAM):
    try:
        with socket.create_connection(row[4], 2) as asked:
            asked.sendall(b"GET / HTTP/1.0\\r\\nHost: web\\r\\n\\r\\n")
            print(asked.makefile().read().split()[-1])
    except OSError:
        pass
"""


def answering(lab: Lab, number: int) -> set[str]:
    """The instances of the Swarm's service that answer a container on this node over the overlay."""
    return set(lab.docker(number, "exec", "asker", "python3", "-c", ASK, check=False).split())


def instances(lab: Lab) -> set[str]:
    """The host names of the service's instances, on every node."""
    ids = [lab.docker(n, "ps", "--quiet", "--filter", f"name={SERVICE}.").split() for n in (1, 2, 3)]
    return {id for found in ids for id in found}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two nodes, shared by the module in the order of its tests; nothing of them is left."""
    with laboratory(tmp_path_factory.mktemp("lab"), 2) as own:
        yield own


def test_up_is_idempotent(lab: Lab) -> None:
    """Two nodes answer under two addresses; asking again changes nothing, asking for three adds one."""
    first = lab.nodes()
    assert [(n["number"], n["condition"], n["context"]) for n in first] == [
        (1, "ready", lab.context(1)),
        (2, "ready", lab.context(2)),
    ]
    containers = [docker.from_env().containers.get(lab.context(n)).id for n in (1, 2)]
    again = lab.stackctl("up", "2")
    assert "creating" not in again.stderr and lab.nodes() == first
    lab.stackctl("up", "3")
    assert [node["address"] for node in lab.nodes()][:2] == [node["address"] for node in first]
    assert [docker.from_env().containers.get(lab.context(n)).id for n in (1, 2)] == containers


def test_engines_are_apart_and_closed(lab: Lab) -> None:
    """Each context is another engine, none of them this machine's; without the client's certificate nothing is told."""
    ids = {lab.docker(n, "info", "--format", "{{.ID}}") for n in (1, 2, 3)}
    assert len(ids | {docker.from_env().info()["ID"]}) == 4
    assert lab.docker(1, "info", "--format", "{{.Driver}}") == "overlay2"
    url = lab.nodes()[0]["engine"]
    for words in (["--host", url], ["--host", url, "--tls"]):
        done = subprocess.run(
            [docker_cli(), *words, "info", "--format", "{{.ID}}"], capture_output=True, text=True, check=False
        )
        assert not any(id in done.stdout for id in ids), words
    inside = run("lab", "list", cwd=lab.folder, DOCKER_CONTEXT=lab.context(1))
    assert inside.code == 2 and "error[lab-inside]" in inside.stderr


def test_images_reach_the_nodes(lab: Lab) -> None:
    """An image of this machine's runs on every node, and is sent once: then nothing is saved."""
    sent = lab.stackctl("load", "whoami")
    image = sent.stdout.strip()
    assert "images: saving 1" in sent.stderr
    assert "saving" not in lab.stackctl("load", image).stderr
    for n in (1, 2, 3):
        lab.docker(n, "run", "--rm", "--entrypoint", "python3", image, "-c", "print('runs')")
    missing = lab.stackctl("load", "nobody-has-this:1", code=1)
    assert "error[lab-image-missing]" in missing.stderr


def test_dead_and_back_with_its_data(lab: Lab) -> None:
    """A node that is killed loses its processes and keeps volumes, containers, images and address."""
    image = lab.stackctl("load", "whoami").stdout.strip()
    address = lab.nodes()[1]["address"]
    lab.docker(
        2, "run", "--detach", "--name", "kept", "--restart", "always", "--volume", "data:/data", "--user", "0", image
    )
    lab.docker(2, "exec", "kept", "sh", "-c", "echo lasting >/data/file && sync")
    lab.stackctl("stop", "2")
    assert lab.nodes()[1]["condition"] == "stopped"
    refused = lab.stackctl("partition", "2", code=1)
    assert "error[lab-node-stopped]" in refused.stderr
    late = lab.stackctl("start", "2", "--timeout", "0s", code=1)
    assert "error[lab-node-not-ready]" in late.stderr and "level=" in late.stderr, (
        "the end of its engine's log is shown"
    )
    lab.stackctl("start", "2")
    assert (lab.nodes()[1]["condition"], lab.nodes()[1]["address"]) == ("ready", address)
    eventually(lambda: lab.docker(2, "ps", "--quiet", "--filter", "name=kept"), "the container to run again")
    assert lab.docker(2, "exec", "kept", "cat", "/data/file") == "lasting"
    lab.docker(2, "rm", "--force", "kept")


def test_unknown_node(lab: Lab) -> None:
    """A number that the lab does not have is a mistake of the command line, with the numbers that it has."""
    error = lab.stackctl("stop", "9", code=2).stderr
    assert "error[lab-node-unknown]" in error and "1, 2, 3" in error


def test_swarm_across_nodes_and_a_partition(lab: Lab) -> None:
    """A service answers across nodes over an overlay; a node that is cut off is missed, still told about, and heals."""
    image = lab.stackctl("load", "whoami").stdout.strip()
    roles = [n["swarm"] for n in lab.stackctl("up", "3", "--swarm", "--format", "json").json["labs"][0]["nodes"]]
    assert roles == ["manager", "worker", "worker"]
    lab.docker(1, "network", "create", "--driver", "overlay", "--attachable", "over")
    service = ["--network", "over", "--endpoint-mode", "dnsrr", "--mode", "global", "--no-resolve-image"]
    lab.docker(1, "service", "create", "--quiet", "--name", SERVICE, *service, image)
    asker = ["--entrypoint", "python3", image, "-c", "import time; time.sleep(3600)"]
    lab.docker(1, "run", "--detach", "--name", "asker", "--network", "over", *asker)

    def everybody() -> bool:
        answered = answering(lab, 1)
        return len(answered) == 3 and answered == instances(lab)

    eventually(everybody, "every node's instance to answer over the overlay", timeout=60)

    lab.stackctl("partition", "3")
    assert [(n["condition"], n["cut"]) for n in lab.nodes()] == [
        ("ready", "none"),
        ("ready", "none"),
        ("ready", "most"),
    ]
    assert json.loads(lab.docker(3, "info", "--format", "{{json .Swarm.LocalNodeState}}")) == "active"
    state = ("node", "inspect", lab.context(3), "--format", "{{.Status.State}}")
    eventually(lambda: lab.docker(1, *state) == "down", "the manager to miss the node", timeout=60)
    assert len(answering(lab, 1)) == 2

    lab.stackctl("stop", "3")
    lab.stackctl("start", "3")
    assert lab.nodes()[2]["cut"] == "most", "a node that was cut off when it died is cut off when it comes back"
    lab.stackctl("heal", "3")
    eventually(lambda: lab.docker(1, *state) == "ready", "the manager to see the node again", timeout=60)
    eventually(everybody, "every node's instance to answer again", timeout=60)

    lab.stackctl("partition", "2", "--wholly")
    assert (lab.nodes()[1]["condition"], lab.nodes()[1]["cut"]) == ("silent", "all")
    lab.stackctl("heal", "2")
    assert (lab.nodes()[1]["condition"], lab.nodes()[1]["cut"]) == ("ready", "none")


def test_one_command_at_a_time(lab: Lab) -> None:
    """While a command waits for a node's engine, another one on this lab is told who works there and does nothing."""
    row = next(
        row for row in docker.from_env().containers.get(lab.context(2)).top()["Processes"] if "dockerd" in row[-1]
    )
    engine = int(row[1])
    os.kill(engine, signal.SIGSTOP)
    try:
        first = subprocess.Popen(
            [*STACKCTL, "lab", "up", "3", "--name", lab.name], stderr=subprocess.PIPE, text=True, cwd=lab.folder
        )
        assert first.stderr is not None
        assert first.stderr.readline() == f"{lab.context(1)}: ready at {lab.nodes()[0]['address']}\n"
        refused = lab.stackctl("stop", "1", code=1).stderr
        assert f"`stackctl lab up` (process {first.pid}" in refused
    finally:
        os.kill(engine, signal.SIGCONT)
    assert first.wait(timeout=60) == 0, first.stderr.read()
    assert [node["condition"] for node in lab.nodes()] == ["ready", "ready", "ready"]
    lab.stackctl("heal", "1")


def test_contexts_come_back(lab: Lab) -> None:
    """A context that was lost is made again from the node itself, running or not."""
    subprocess.run([docker_cli(), "context", "rm", "--force", lab.context(1)], check=True, capture_output=True)
    assert lab.nodes()[0]["condition"] == "silent"
    lab.stackctl("up", "3")
    assert lab.nodes()[0]["condition"] == "ready"
    assert lab.docker(1, "info", "--format", "{{.Name}}") == lab.context(1)
