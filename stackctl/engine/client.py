"""The way to the engine: which `docker` command, which connection, and what to say when nothing answers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stackctl.errors import Unreachable

if TYPE_CHECKING:
    import docker

# What Debian's packages (and Docker's own for Debian) call the client; its Compose and buildx lie beside it.
DEBIAN_CLIENTS = ("docker-cli", "docker-ce-cli", "docker.io")
CHOICES = ("DOCKER_HOST", "DOCKER_CONTEXT")
FIRST_ANSWER = 10  # seconds; an engine that accepts and then says nothing is as good as none
ANY_ANSWER = 60


def docker_cli() -> str:
    """The `docker` command: the distribution's where it installed one, because another on PATH often lacks Compose."""
    packages = Path("/var/lib/dpkg/info")
    installed = any((packages / f"{name}.list").exists() for name in DEBIAN_CLIENTS)
    if installed and os.access("/usr/bin/docker", os.X_OK):
        return "/usr/bin/docker"
    return shutil.which("docker") or "docker"


def connect() -> docker.DockerClient:
    """The engine that DOCKER_HOST, DOCKER_CONTEXT or the chosen context names; raises `Unreachable`."""
    import docker.errors  # 140 ms that whoever only needs the command does not pay
    import requests.exceptions

    from stackctl.engine.contexts import chosen_context, context_client

    try:
        name = chosen_context()
        found = (
            context_client(name, FIRST_ANSWER) if name else docker.from_env(timeout=FIRST_ANSWER, use_ssh_client=True)
        )
        if found is None:  # the command refuses, so must we; never this machine's engine instead
            raise unreachable("there is no such context")
        if name:
            found.ping()
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise unreachable(str(error)) from error
    found.api.timeout = ANY_ANSWER
    return found


def engine_address() -> str:
    """Where ports that the engine publishes are reached: this machine for a socket, else the engine's host."""
    from stackctl.engine.contexts import chosen_context, find_context

    context = find_context(chosen_context())
    url = os.environ.get("DOCKER_HOST") or (context.host if context else "")
    parts = urlsplit(url)
    return parts.hostname if parts.scheme in ("tcp", "ssh", "http", "https") and parts.hostname else "127.0.0.1"


def unreachable(reason: str) -> Unreachable:
    """The error for an engine that does not answer, with the hint that fits the reason."""
    chosen = next((f"{name}={os.environ[name]}" for name in CHOICES if os.environ.get(name)), "")
    if "PermissionError" in reason or "permission denied" in reason:
        hint = "its socket is not yours to use: join the group `docker` and log in again, or use sudo"
    elif chosen:
        hint = f"start that engine, or unset {chosen.partition('=')[0]} to use this machine's"
    else:
        verb = "start" if shutil.which(docker_cli()) else "install"
        hint = f"{verb} Docker; in a checkout, on Debian or Ubuntu as root, `make engine` does it"
    return Unreachable("engine-unreachable", f"no Docker engine answers: {_short(reason)}", where=chosen, hint=hint)


def _short(reason: str) -> str:
    """The cause in the SDK's nested messages, in words."""
    for sign, words in {
        "FileNotFoundError": "there is no socket",
        "ConnectionRefusedError": "nobody listens on its socket",
        "Connection refused": "the connection was refused",
        "PermissionError": "permission denied",
        "timed out": "it accepted the connection and said nothing",
    }.items():
        if sign in reason:
            return words
    return reason.strip()
