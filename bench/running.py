"""Commands and containers: run to their end, told to end when the benchmark is, and removed whatever happens."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from stackctl.engine.commands import docker_cli
from stackctl.engine.container_json import seconds

STACKCTL = str(Path(sys.executable).with_name("stackctl"))  # the one that is installed beside this interpreter
DOCKER = docker_cli()
PREFIX = f"bench-{os.getpid()}"  # of everything that a run makes
LOOK = 0.02  # seconds between two looks at a command's memory


class Failed(Exception):
    """A command that the benchmark needs did not do what it is for."""


class Missing(Exception):
    """A peer can't be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended well, the seconds that it took, and the most memory (bytes) that its own process had."""

    seconds: float
    out: str
    peak: int


async def run(*command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Done:
    """Run a command; raises `Failed` with its last words where it fails. It ends when the benchmark is interrupted."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    watching = asyncio.create_task(_peak(process.pid))
    try:
        out, errors = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    took = time.monotonic() - began
    if process.returncode:
        said = "\n".join(text.decode(errors="replace").strip()[-800:] for text in (errors, out))  # a verdict is output
        raise Failed(f"{' '.join(command)}: exit {process.returncode}: {said}")
    return Done(took, out.decode(errors="replace"), await watching)


async def _peak(pid: int) -> int:
    """The most memory that a process had, as the kernel tells it until the process is gone."""
    most = 0
    while now := _high_water(pid):
        most = now
        await asyncio.sleep(LOOK)
    return most


def _high_water(pid: int) -> int:
    """VmHWM in bytes; 0 for a process that has ended."""
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(found[1]) * 1024
    return 0


class Engine:
    """The Docker engine, as far as the measurements need it beside Compose."""

    def __init__(self) -> None:
        self.client = docker.from_env()

    def of_service(self, project: str, service: str) -> Container:
        """The first running container of a Compose service."""
        found = self.all_of_service(project, service)
        if not found:
            raise Failed(f"{project} has no running {service}")
        return found[0]

    def all_of_service(self, project: str, service: str) -> list[Container]:
        """The running containers of a Compose service, by name."""
        labels = [f"com.docker.compose.project={project}", f"com.docker.compose.service={service}"]
        found = self.client.containers.list(filters={"label": labels})
        return sorted(found, key=lambda container: str(container.name))

    def twin(self, project: str, number: int | str, service: str = "web", *, labelled: bool = True) -> Container:
        """One more container like those of a service, not started: for Compose it does not exist.

        Without labels no registrator cares for it.
        """
        model = self.of_service(project, service)
        labels = {name: text for name, text in model.labels.items() if labelled and not name.startswith("com.docker.")}
        return self.client.containers.create(
            model.attrs["Config"]["Image"],
            command=model.attrs["Config"]["Cmd"],
            labels=labels,
            environment=model.attrs["Config"]["Env"],
            network=f"{project}_default",
            name=f"{project}-twin-{number}",
        )

    def resident(self, container: Container) -> dict[str, int]:
        """VmRSS in bytes of each process in a container, by its command line."""
        script = (
            "for p in /proc/[0-9]*; do printf '%s|' \"$(tr '\\0' ' ' <$p/cmdline)\";"
            " grep VmRSS $p/status || echo; done 2>/dev/null"
        )
        found: dict[str, int] = {}
        for line in inside(container, "sh", "-c", script).splitlines():
            command, _, size = line.partition("|VmRSS:")
            if size and "/proc/" not in command:
                found[command.strip()] = found.get(command.strip(), 0) + int(size.split()[0]) * 1024
        return found

    def sweep(self) -> None:
        """Remove whatever this run made and something has left behind."""
        api = self.client
        for container in api.containers.list(all=True, filters={"name": f"^/?{PREFIX}"}):
            container.remove(force=True, v=True)
        for network in api.networks.list(filters={"name": f"^{PREFIX}"}):
            network.remove()
        for volume in api.volumes.list(filters={"name": f"^{PREFIX}"}):
            volume.remove(force=True)


def inside(container: Container, *command: str) -> str:
    """What a command in a container prints."""
    output = container.exec_run(list(command)).output
    return output.decode() if isinstance(output, bytes) else ""


def started(container: Container) -> float:
    """When the engine says that it started, in seconds since the epoch."""
    container.reload()
    return seconds(container.attrs["State"]["StartedAt"])


def address(container: Container) -> str:
    """The address on its only network."""
    networks: Mapping[str, Any] = container.attrs["NetworkSettings"]["Networks"]
    return str(next(iter(networks.values()))["IPAddress"])


@contextmanager
def removed(container: Container) -> Iterator[Container]:
    """The container, gone afterwards."""
    try:
        yield container
    finally:
        container.remove(force=True, v=True)
