"""A peer as a Compose project of its own, in a temporary folder, of which nothing is left afterwards."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.running import DOCKER, Done, Engine, run
from bench.system import System

TOOLS = Path(__file__).parents[1] / "results" / "tools"  # fetched once, ignored by git


class Project:
    """A Compose file and the commands on it."""

    def __init__(self, folder: Path, model: Mapping[str, Any]) -> None:
        self.name = str(model["name"])
        self.file = folder / "compose.json"
        self.file.write_text(json.dumps(model, indent=2))

    async def compose(self, *words: str) -> Done:
        """One `docker compose` command."""
        return await run(DOCKER, "compose", "-f", str(self.file), *words)

    async def scale(self, replicas: int) -> None:
        """The way to scale with Compose alone."""
        await self.compose("up", "--detach", "--no-recreate", "--scale", f"web={replicas}")

    async def replace(self, replicas: int) -> None:
        """The way to replace containers with Compose alone."""
        await self.compose("up", "--detach", "--force-recreate", "--no-deps", "--scale", f"web={replicas}", "web")


class Peer(System):
    """A peer that is scaled with Compose alone."""

    def __init__(self, engine: Engine, made: Project, entry: int) -> None:
        super().__init__(engine, made.name, entry)
        self.made = made

    def gone(self, seen: str, before: str, address: str) -> bool:  # noqa: ARG002
        return f"{address}:80" not in seen

    async def scale(self, replicas: int) -> None:
        await self.made.scale(replicas)

    async def replace(self) -> None:
        await self.made.replace(len(self.engine.all_of_service(self.project, "web")))


@asynccontextmanager
async def project(model: Mapping[str, Any], files: Mapping[str, str]) -> AsyncIterator[Project]:
    """The project, up; `files` lie beside its Compose file."""
    folder = Path(tempfile.mkdtemp(prefix="stackctl-bench-"))
    for name, text in files.items():
        (folder / name).write_text(text)
    made = Project(folder, model)
    try:
        await made.compose("up", "--detach", "--wait")
        yield made
    finally:
        await made.compose("down", "--volumes", "--timeout", "2")
        shutil.rmtree(folder, ignore_errors=True)
