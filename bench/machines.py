"""Three machines: a lab's nodes, and a stack on them by either engine; nothing of it is left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.containers import Container

from bench.running import PREFIX, STACKCTL, Done, Failed, run
from stackctl.engine.contexts import context_client

MACHINES = ("one", "two", "three")
PATIENCE = 60.0
NAME = "scale"
SPEC = """\
name: {name}
engine: {engine}
{hosts}registry:
  consul: {{servers: 3}}
balancer: {{replicas: 2, http: 9080}}
services:
  web:
    image: whoami
    port: 80
    replicas: {replicas}
    route: /
    check: {{http: /healthz}}
    stop_grace: 10s
"""


@dataclass(frozen=True)
class Spread:
    """A stack on the nodes of a lab."""

    folder: Path
    lab: str

    async def stackctl(self, *words: str) -> Done:
        """One command on the stack; of a Swarm the first node is asked, which manages it."""
        environment = {"DOCKER_CONTEXT": f"{self.lab}-1"} if "swarm" in self.folder.name else {}
        return await run(STACKCTL, *words, env=environment, cwd=self.folder)

    def containers(self, role: str) -> Iterator[Container]:
        """Those that run on any node, of one part of the stack."""
        labels = [f"stackctl.stack={NAME}", f"stackctl.role={role}"]
        for node in range(1, len(MACHINES) + 1):
            yield from client(f"{self.lab}-{node}").containers.list(filters={"label": labels})


def hosts(lab: str) -> str:
    """A spec's `hosts`: the nodes whose contexts begin with `lab`."""
    return "".join(("hosts:\n", *(f"  {name}: {{context: {lab}-{n}}}\n" for n, name in enumerate(MACHINES, 1))))


def client(context: str) -> docker.DockerClient:
    """A node's engine."""
    found = context_client(context, PATIENCE)
    if found is None:
        raise Failed(f"there is no context {context}")
    return found


@asynccontextmanager
async def machines() -> AsyncIterator[str]:
    """A lab; what its nodes' contexts begin with."""
    try:
        await run(STACKCTL, "lab", "up", str(len(MACHINES)), "--name", PREFIX)
        yield f"stackctl-{PREFIX}"
    finally:
        await run(STACKCTL, "lab", "down", "--name", PREFIX)


@asynccontextmanager
async def spread(engine: str, lab: str, replicas: int) -> AsyncIterator[Spread]:
    """A stack that is not up yet; a lab becomes a Swarm where one is needed, and stays one."""
    if engine == "swarm":
        await run(STACKCTL, "lab", "up", str(len(MACHINES)), "--swarm", "--name", PREFIX)
    folder = Path(tempfile.mkdtemp(prefix=f"stackctl-bench-{engine}-"))
    (folder / "stack.yaml").write_text(SPEC.format(name=NAME, engine=engine, hosts=hosts(lab), replicas=replicas))
    made = Spread(folder, lab)
    try:
        yield made
    finally:
        await made.stackctl("down", "--volumes")
        shutil.rmtree(folder, ignore_errors=True)
