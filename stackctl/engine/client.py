"""The way to the engine: which connection, and what to say when nothing answers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stackctl.domain.host import HERE, Host
from stackctl.engine.commands import docker_cli
from stackctl.engine.contexts import chosen_context, context_client, find_context
from stackctl.errors import Unreachable

if TYPE_CHECKING:
    import docker

CHOICES = ("DOCKER_HOST", "DOCKER_CONTEXT")
DEFAULT = "default"  # the context that no store holds: this machine's own engine
LOOPBACK = "127.0.0.1"
FIRST_ANSWER = 10  # seconds; an engine that accepts and then says nothing is as good as none
ANY_ANSWER = 60


def connect(host: Host = HERE, patience: int = FIRST_ANSWER) -> docker.DockerClient:
    """A host's engine, or the one that DOCKER_HOST, DOCKER_CONTEXT or the chosen context names; raises `Unreachable`
    where nothing is heard for `patience` seconds."""
    import docker.errors  # 140 ms that whoever only needs the command does not pay
    import requests.exceptions

    try:
        name = ("" if host.context == DEFAULT else host.context) or ("" if host != HERE else chosen_context())
        environ = {**os.environ, "DOCKER_HOST": host.url} if host != HERE else None
        found = (
            context_client(name, patience)
            if name
            else docker.from_env(timeout=patience, use_ssh_client=True, environment=environ)
        )
        if found is None:  # the command refuses, so must we; never this machine's engine instead
            raise unreachable("there is no such context", host)
        if name:
            found.ping()
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError, ValueError) as error:
        raise unreachable(str(error), host) from error
    found.api.timeout = ANY_ANSWER
    return found


@contextmanager
def at_home() -> Iterator[None]:
    """Inside, the chosen engine is this machine's own; where it has none that answers, the choice stays."""
    chosen = {name: os.environ.pop(name) for name in CHOICES if name in os.environ}
    os.environ["DOCKER_CONTEXT"] = "default"
    try:
        connect()
    except Unreachable:
        _choose(chosen)
    try:
        yield
    finally:
        _choose(chosen)


def _choose(chosen: Mapping[str, str]) -> None:
    for name in CHOICES:
        os.environ.pop(name, None)
    os.environ.update(chosen)


def engine_address(host: Host = HERE) -> str:
    """Where ports that the engine publishes are reached: this machine for a socket, else the engine's host."""
    context = find_context(host.context or chosen_context())
    url = host.url or ("" if host.context else os.environ.get("DOCKER_HOST")) or (context.host if context else "")
    try:
        parts = urlsplit(url)
    except ValueError:  # no address at all: whoever connects to it says so
        return LOOPBACK
    return parts.hostname if parts.scheme in ("tcp", "ssh", "http", "https") and parts.hostname else LOOPBACK


def unreachable(reason: str, host: Host = HERE) -> Unreachable:
    """The error for an engine that does not answer, with the hint that fits the reason."""
    if host != HERE:
        way = f"--context {host.context}" if host.context else f"--host {host.url}"
        message = f"{host.name} does not answer: {_short(reason)}"
        return Unreachable("engine-unreachable", message, where=host.name, hint=f"docker {way} info")
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
        "No route to host": "there is no way to it",
        "ConnectTimeout": "nothing was heard from it",
        "timed out": "it accepted the connection and said nothing",
    }.items():
        if sign in reason:
            return words
    return reason.strip()
