"""A lab under a name of its own, for tests that need several machines."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from stackctl.engine.commands import docker_cli
from tests.e2e.scenario import Result, run

# The service that stacks on several machines have in common: a spec's `services` begin with it.
WEB = """\
  web:
    image: whoami
    port: 80
    replicas: 3
    route: /
    check: {http: /healthz}
    stop_grace: 10s
"""
# What a container hears when it asks for the internal service's name, and from the service itself.
ASK = """
import socket
print(*sorted({row[4][0] for row in socket.getaddrinfo("back.service.dc1.consul", 8081)}))
with socket.create_connection(("back.service.dc1.consul", 8081), 5) as asked:
    asked.sendall(b"GET / HTTP/1.0\\r\\nHost: back\\r\\n\\r\\n")
    print(asked.makefile().read())
"""


@dataclass(frozen=True)
class Lab:
    """A lab under a name of its own."""

    name: str
    folder: Path

    def stackctl(self, *words: str, code: int = 0) -> Result:
        """A `lab` command on this lab."""
        result = run("lab", *words, "--name", self.name, cwd=self.folder, timeout=300)
        assert result.code == code, f"wanted exit {code}:\n{result}"
        return result

    def nodes(self) -> list[dict[str, Any]]:
        """What `lab list` says of the nodes."""
        document = self.stackctl("list", "--format", "json").json
        assert document["schema"] == "stackctl/lab-list/v1"
        nodes: list[dict[str, Any]] = document["labs"][0]["nodes"] if document["labs"] else []
        return nodes

    def containers(self) -> list[Container]:
        """The nodes as containers of this machine, dead ones too."""
        return docker.from_env().containers.list(all=True, filters={"label": f"stackctl.lab={self.name}"})

    def context(self, number: int) -> str:
        """A node's context."""
        return f"stackctl-{self.name}-{number}"

    def docker(self, number: int, *words: str, check: bool = True) -> str:
        """The docker command on a node, through its context."""
        command = [docker_cli(), "--context", self.context(number), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def leftovers(self) -> list[str]:
        """Whatever there is of it."""
        client, own = docker.from_env(), {"label": f"stackctl.lab={self.name}"}
        found = [c.name for c in client.containers.list(all=True, filters=own)]
        found += [n.name for n in client.networks.list(filters=own)] + [
            v.name for v in client.volumes.list(filters=own)
        ]
        names = subprocess.run(
            [docker_cli(), "context", "ls", "--format", "{{.Name}}"], capture_output=True, text=True, check=False
        )
        return [*found, *(name for name in names.stdout.split() if name.startswith(f"stackctl-{self.name}-"))]


@contextmanager
def laboratory(folder: Path, count: int, *words: str) -> Iterator[Lab]:
    """A lab of so many nodes; whatever becomes of it, nothing of it is left."""
    own = Lab(f"e2e-{uuid.uuid4().hex[:6]}", folder)
    try:
        own.stackctl("up", str(count), *words)
        yield own
    finally:
        own.stackctl("down")
        assert own.leftovers() == []
