"""Docker contexts: the command's store, where an engine's address and the certificates for it lie under a name.

Written by the command alone. Read here as files, because the SDK finds the store only beside a config.json, which
nobody has who never logged in to a registry.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stackctl.engine.commands import docker_cli
from stackctl.errors import StackctlError

if TYPE_CHECKING:
    import docker

API = "1.44"  # the oldest that stackctl needs; naming one spares the question for it
CREDENTIALS = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True, slots=True)
class Context:
    """A context as the store has it."""

    name: str
    description: str
    host: str
    folder: Path  # of its certificates


def find_context(name: str) -> Context | None:
    """The context of that name."""
    store, id = _store(), hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((store / "meta" / id / "meta.json").read_text())
        description = str(meta["Metadata"].get("Description", ""))
        return Context(name, description, str(meta["Endpoints"]["docker"]["Host"]), store / "tls" / id / "docker")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def contexts(description: str) -> tuple[str, ...]:
    """The names of the contexts that carry this description."""
    names = []
    for path in sorted((_store() / "meta").glob("*/meta.json")):
        try:
            meta = json.loads(path.read_text())
            names += [str(meta["Name"])] if meta["Metadata"].get("Description") == description else []
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # somebody else's, and not ours to judge
    return tuple(names)


def create_context(name: str, description: str, host: str, credentials: Mapping[str, str]) -> None:
    """Make a context anew; `credentials` are the texts of ca.pem, cert.pem and key.pem."""
    remove_context(name)
    with tempfile.TemporaryDirectory(prefix="stackctl-") as folder:  # its mode is 0700
        for file in CREDENTIALS:
            (Path(folder) / file).write_text(credentials[file])
        endpoint = f"host={host},ca={folder}/ca.pem,cert={folder}/cert.pem,key={folder}/key.pem"
        _docker("create", name, "--description", description, "--docker", endpoint)


def remove_context(name: str) -> None:
    """Remove a context, also the one in use; one that is not there is no error."""
    if find_context(name):
        _docker("rm", "--force", name)


def chosen_context() -> str:
    """The context that this process's commands use, in the command's own order; empty where it is none by name."""
    if os.environ.get("DOCKER_HOST"):
        return ""
    name = os.environ.get("DOCKER_CONTEXT")
    if not name:
        try:
            name = str(json.loads((_folder() / "config.json").read_text()).get("currentContext", ""))
        except (OSError, ValueError, AttributeError):
            name = ""
    return "" if name == "default" else name


def context_client(name: str, timeout: float) -> docker.DockerClient | None:
    """A client of a context's engine; None without such a context. Nothing is asked yet."""
    import docker
    from docker.tls import TLSConfig

    context = find_context(name)
    if context is None:
        return None
    ca, cert, key = (str(context.folder / file) for file in CREDENTIALS)
    tls = TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=True) if Path(ca).exists() else False
    client = docker.DockerClient(
        base_url=context.host, tls=tls, timeout=round(timeout), version=API, use_ssh_client=True
    )
    # Or REQUESTS_CA_BUNDLE would be taken for the authority, and a proxy asked for a machine next door.
    client.api.trust_env = False
    return client


def own_file(name: str) -> Path:
    """A file of stackctl's own in the account's folder for the command, beside the contexts."""
    return _folder() / "stackctl" / name


def _folder() -> Path:
    folder = os.environ.get("DOCKER_CONFIG")
    return Path(folder) if folder else Path.home() / ".docker"


def _store() -> Path:
    return _folder() / "contexts"


def _docker(*words: str) -> None:
    command = (docker_cli(), "context", *words)
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise StackctlError(
            "context-failed",
            done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "`docker context` failed",
            where=" ".join(command[:3]),
            hint=f"look at {_store()}: it has to be yours to write to",
        )
