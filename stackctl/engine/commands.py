"""The `docker` command: which one, and run for what the SDK does not know: stacks, and the output of tasks."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackctl.domain.host import HERE, Host
from stackctl.errors import StackctlError

# What Debian's packages (and Docker's own for Debian) call the client; its Compose and buildx lie beside it.
DEBIAN_CLIENTS = ("docker-cli", "docker-ce-cli", "docker.io")


def docker_cli() -> str:
    """The `docker` command: the distribution's where it installed one, because another on PATH often lacks Compose."""
    packages = Path("/var/lib/dpkg/info")
    installed = any((packages / f"{name}.list").exists() for name in DEBIAN_CLIENTS)
    if installed and os.access("/usr/bin/docker", os.X_OK):
        return "/usr/bin/docker"
    return shutil.which("docker") or "docker"


def docker_command(host: Host = HERE) -> tuple[str, ...]:
    """The `docker` command with the words that make it talk to a host's engine."""
    way = ("--context", host.context) if host.context else ("--host", host.url) if host.url else ()
    return (docker_cli(), *way)


def run(id: str, words: Sequence[str], where: str, host: Host = HERE) -> None:
    """Run it to its end; raises `StackctlError` with the last thing that it said, which is the engine's own message."""
    done = subprocess.run(
        (*docker_command(host), *words),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        message = said[-1] if said else f"docker {words[0]} ended with {done.returncode} and said nothing"
        raise StackctlError(id, message, where=where, hint="stackctl doctor")


def lines_of(commands: Sequence[Sequence[str]]) -> Iterator[str]:
    """The output of several, line by line as it comes; all of them end with the iterator."""
    lines: queue.Queue[str | None] = queue.Queue(maxsize=1000)
    running = [
        subprocess.Popen(
            (docker_cli(), *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        for words in commands
    ]

    def read(process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    for process in running:
        threading.Thread(target=read, args=(process,), daemon=True).start()
    try:
        left = len(running)
        while left:
            line = lines.get()
            if line is None:
                left -= 1
            else:
                yield line
    finally:
        for process in running:
            process.kill()
            process.wait()
