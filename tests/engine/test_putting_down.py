"""Before a keepalived that was killed is removed, its machine puts the shared address down."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest

from stackctl.domain.instance import Instance, State
from stackctl.engine.compose import ComposeEngine

ENTRYPOINT = Path(__file__).parents[2] / "templates" / "images" / "keepalived" / "entrypoint.sh"
SHOWN = "2: eth0    inet 192.0.2.7/24 scope global eth0\\n2: eth0    inet 192.0.2.100/32 scope global eth0"


class Docker:
    """An engine that writes down what it is told to do."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.api = self.containers = self

    def inspect_container(self, _: str) -> dict[str, Any]:
        """A keepalived's."""
        return {"Image": "sha256:1", "Config": {"Cmd": ["192.0.2.100"]}}

    def run(self, image: str, command: list[str], **rights: Any) -> None:
        """A container that does something and is gone."""
        assert rights == {"network_mode": "host", "cap_drop": ["ALL"], "cap_add": ["NET_ADMIN"], "remove": True}
        self.done.append(f"run {image} {' '.join(command)}")

    def get(self, id: str) -> SimpleNamespace:
        """What can be stopped and removed."""
        return SimpleNamespace(
            stop=lambda **_: self.done.append(f"stop {id}"), remove=lambda **_: self.done.append(f"remove {id}")
        )


@pytest.mark.parametrize(
    ("role", "state", "first"),
    [("vip", "exited", ["run sha256:1 192.0.2.100 leave"]), ("vip", "running", []), ("service", "exited", [])],
)
def test_put_down_before_it_is_removed(role: str, state: State, first: list[str], tmp_path: Path) -> None:
    """One that runs does it as it ends; nothing else has an address to put down."""
    client = Docker()
    engine = ComposeEngine("shop", "shop", tmp_path, client=cast(docker.DockerClient, client))
    engine.remove(Instance("shop-one-vip-1", "vip", role, "c1", state, "none", 0.0, "", ""), 5.0)
    assert client.done == [*first, "stop shop-one-vip-1", "remove shop-one-vip-1"]


def test_leave(tmp_path: Path) -> None:
    """Told to leave, the entrypoint takes off the shared address, no other one, and starts nothing."""
    said, ip = tmp_path / "said", tmp_path / "ip"
    ip.write_text(f'#!/bin/sh\ncase "$*" in *show*) printf "{SHOWN}\\n" ;; *) echo "$*" >>"{said}" ;; esac\n')
    ip.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", str(ENTRYPOINT), "192.0.2.100", "leave"], env=environment, check=True)
    assert said.read_text() == "address delete 192.0.2.100/32 dev eth0\n"
