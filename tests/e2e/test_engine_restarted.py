"""The engine itself is restarted and its containers live on (live-restore): a node of a lab stands for the machine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import docker
import pytest

from tests.e2e.laboratory import Lab, laboratory
from tests.e2e.loading import roam, while_doing
from tests.e2e.scenario import Scenario, eventually, new_scenario

pytestmark = pytest.mark.engine

# As a service manager would: the engine is started again when it ends, and is told to let containers live meanwhile.
SUPERVISED = r"""
sed -i 's/^exec dockerd \(.*\)/while true; do dockerd \1; done/' /opt/stackctl/node.sh
sed -i '0,/{/s//{ "live-restore": true,/' /etc/stackctl/daemon.json
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One node whose engine can be restarted without the node."""
    with laboratory(tmp_path_factory.mktemp("lab"), 1) as own:
        node = docker.from_env().containers.get(own.context(1))
        assert node.exec_run(["sh", "-euc", SUPERVISED]).exit_code == 0
        own.stackctl("stop", "1")
        own.stackctl("start", "1")
        assert own.docker(1, "info", "--format", "{{.LiveRestoreEnabled}}") == "true"
        own.stackctl("load", "consul", "registrator", "balancer", "whoami")
        yield own


def process(lab: Lab) -> str:
    """The process id of the node's engine; empty while there is none."""
    node = docker.from_env().containers.get(lab.context(1))
    return str(node.exec_run(["sh", "-c", "cat /run/docker.pid 2>/dev/null || true"]).output.decode().strip())


@pytest.fixture
def inside(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    """A stack on the node's engine."""
    stack = new_scenario(tmp_path_factory.mktemp("inside"), replicas=3)
    stack.spec.write_text(stack.spec.read_text().replace("servers: 3", "servers: 1"))
    return stack


def test_live_restore(lab: Lab, inside: Scenario) -> None:
    """No request is lost on a connection that is made, and the agents find the engine again: what dies leaves.

    The new engine makes its rules for published ports anew: until they are there it refuses new connections itself.
    """
    here = {"DOCKER_CONTEXT": lab.context(1)}
    inside.stackctl("up", timeout=300, **here)
    address = lab.nodes()[0]["address"]
    before = process(lab)

    def restart() -> None:
        docker.from_env().containers.get(lab.context(1)).exec_run(["sh", "-c", f"kill {before}"])
        eventually(lambda: process(lab) not in ("", before), "another engine", timeout=60)
        eventually(lambda: lab.docker(1, "ps", "--quiet", check=False), "it to answer", timeout=60)
        inside.stackctl("verify", "--timeout", "30s", **here)

    kinds = [partial(roam, (inside.port,), rate=75, clients=8, keep=keep, host=address) for keep in (True, False)]
    kept, fresh = while_doing(restart, *kinds)
    assert kept.sent > 0 and dict(kept.reasons) == {}
    assert set(fresh.reasons) <= {"GET ConnectionRefusedError", "POST ConnectionRefusedError"}
    assert fresh.sent > fresh.lost
    inside.stackctl("scale", "web=1", **here)
    inside.stackctl("scale", "web=2", **here)
    victim = inside.id("web", 2)
    lab.docker(1, "kill", victim)
    eventually(lambda: victim not in inside.stackctl("config", **here).stdout, "the dead to leave the config")
