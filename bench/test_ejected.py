"""The ejected balancer against the real consul-template: the same backends as ours, before and after a change.

    .venv/bin/pytest bench/test_ejected.py

Beside the benchmarks and not among the tests, because consul-template is built here by Go, from the network.
"""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers.consul_template import binary
from tests.e2e.scenario import Scenario, eventually, new_scenario


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Scenario]:
    """Two instances, up, and consul-template with nginx beside them on port 80 of their network."""
    own, peer = new_scenario(tmp_path, replicas=2), None
    try:
        own.stackctl("up", timeout=600)
        own.stackctl("render", "--for", "consul-template", "-o", str(tmp_path / "out"))
        peer = own.client.containers.run(
            own.container("lb").image.id,
            ["/peer/run.sh"],
            name=own.id("peer"),
            entrypoint="sh",
            user="0:0",
            detach=True,
            network=f"{own.name}_default",
            environment={"CONSUL_HTTP_ADDR": "consul-agent:8500"},
            volumes={
                str(asyncio.run(binary())): {"bind": "/usr/bin/consul-template", "mode": "ro"},
                str(tmp_path / "out" / "consul-template"): {"bind": "/peer", "mode": "ro"},
            },
        )
        yield own
    finally:
        if peer:
            peer.remove(force=True)
        own.clean()


def servers(text: str) -> set[str]:
    """What stands behind `server` in the upstreams of a config, ids included."""
    return set(re.findall(r"server (\S+:\d+ weight=.*)", text))


def test_same_backends(running: Scenario) -> None:
    """Their config names exactly the servers that ours does, also after scaling; nginx accepts it, and it serves."""

    def agree() -> bool:
        ours = servers(running.stackctl("config", "lb-1").stdout)
        return bool(ours) and servers(running.inside("peer", "cat", "/etc/nginx/nginx.conf")) == ours

    eventually(agree, "consul-template to list what our balancer lists")
    running.stackctl("scale", "web=3")
    eventually(agree, "consul-template to list the third instance")
    running.inside("peer", "nginx", "-t", "-q")
    (network,) = running.container("peer").attrs["NetworkSettings"]["Networks"].values()
    address = network["IPAddress"]
    with urllib.request.urlopen(f"http://{address}:{running.port}/", timeout=5) as answer:
        assert b"WebServer" in answer.read()
