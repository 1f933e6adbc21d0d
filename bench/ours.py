"""stackctl itself: the bundled stack simple-web under a name and ports of its own, in a folder of its own."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.asking import Watch
from bench.ports import free_port
from bench.running import DOCKER, PREFIX, STACKCTL, Done, Engine, run
from bench.system import Part, System
from stackctl.rendering.nginx import STATUS_PORT

SPEC = Path(__file__).parents[1] / "stacks" / "simple-web" / "stack.yaml"


class Stack:
    """A copy of simple-web and the commands on it; nothing is up yet."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.entry, self.ui = free_port(), free_port()
        self._environment = {"HTTP_PORT": str(self.entry), "UI_PORT": str(self.ui), "WEB_REPLICAS": "1"}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stack.yaml").write_text(re.sub(r"(?m)^name: \S+", f"name: {name}", SPEC.read_text()))

    async def stackctl(self, *words: str) -> Done:
        """One command, as a person types it in the stack's folder."""
        return await run(STACKCTL, *words, env=self._environment, cwd=self.folder)

    async def render(self) -> Path:
        """The rendered Compose file, for `docker compose` without stackctl."""
        await self.stackctl("render", "-o", "rendered")
        return self.folder / "rendered" / "compose.yaml"

    async def compose(self, *words: str) -> Done:
        """One `docker compose` command on the rendered file."""
        return await run(DOCKER, "compose", "-f", str(self.folder / "rendered" / "compose.yaml"), *words)


@asynccontextmanager
async def stack(word: str) -> AsyncIterator[Stack]:
    """A stack in a temporary folder, of which nothing is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="stackctl-bench-"))
    made = Stack(folder, f"{PREFIX}-{word}")
    try:
        yield made
    finally:
        await made.stackctl("down", "--volumes")
        shutil.rmtree(folder, ignore_errors=True)


class Ours(System):
    """stackctl's stack, up."""

    name = "stackctl"
    leaves = "revision of the running nginx, asked inside its container over fresh connections"
    parts = (
        Part("registrator", "registrator", "stackctl.agents.registrator"),
        Part("balancer agent", "lb", "stackctl.agents.balancer"),
        Part("nginx (master and workers, shared pages counted in each)", "lb", "nginx:"),
    )

    def __init__(self, engine: Engine, made: Stack) -> None:
        super().__init__(engine, made.name, made.entry)
        self.stack = made

    def watch(self) -> Watch:
        return Watch(STATUS_PORT, "/revision", container=str(self.engine.of_service(self.project, "lb").id))

    def gone(self, seen: str, before: str, address: str) -> bool:  # noqa: ARG002  (a revision names no address)
        return seen != before

    async def scale(self, replicas: int) -> None:
        await self.stack.stackctl("scale", f"web={replicas}")

    async def replace(self) -> None:
        await self.stack.stackctl("deploy", "web", "--force")


@asynccontextmanager
async def ours(engine: Engine) -> AsyncIterator[Ours]:
    """stackctl's stack, up with one instance."""
    async with stack("ours") as made:
        await made.stackctl("up")
        yield Ours(engine, made)
