"""`doctor`: what this machine has and lacks for stackctl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackctl.engine.client import connect
from stackctl.engine.commands import docker_cli
from stackctl.errors import Unreachable

OLDEST_PYTHON = (3, 11)
OLDEST_API = (1, 44)  # Docker 25: health checks with a start interval
LITTLE_DISK = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `exit_code` is what its lack means."""

    name: str
    ok: bool
    found: str = ""
    hint: str = ""
    exit_code: int = 1


def examine() -> tuple[Check, ...]:
    """Every check, in the order in which one would repair them."""
    return (_python(), *_engine(), _compose(), _disk(), _base())


def engine_versions() -> Mapping[str, str]:
    """Versions of the engine and of Compose; words where they do not answer."""
    compose = _output(docker_cli(), "compose", "version", "--short")
    try:
        return {"engine": str(connect().version()["Version"]), "compose": compose or "not found"}
    except Unreachable:
        return {"engine": "does not answer", "compose": compose or "not found"}


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= OLDEST_PYTHON, found, "Python 3.11 or newer is needed")


def _engine() -> Iterator[Check]:
    try:
        version = connect().version()
    except Unreachable as error:
        yield Check("engine", False, error.message, error.hint or "start Docker", Unreachable.exit_code)
        return
    yield Check("engine", True, f"Docker {version['Version']}")
    api = tuple(int(part) for part in version["ApiVersion"].split("."))
    yield Check("engine API", api >= OLDEST_API, version["ApiVersion"], "Docker 25 or newer is needed")


def _compose() -> Check:
    found = _output(docker_cli(), "compose", "version", "--short")
    return Check("compose", bool(found), found, "install the Compose plugin (docker-compose-v2, docker-compose-plugin)")


def _disk() -> Check:
    free = shutil.disk_usage("/").free
    return Check("disk", free > LITTLE_DISK, f"{free / 1024**3:.0f} GiB free", "images need 2 GiB")


def _base() -> Check:
    """Without an image registry the base image is made on this machine."""
    found = shutil.which("mmdebstrap")
    root = os.geteuid() == 0
    words = "images can be made without an image registry" if found and root else "only with an image registry"
    return Check("base image", True, words)


def _output(*command: str) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
