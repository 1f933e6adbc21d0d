"""Images from this machine's engine to a lab's nodes: saved once, loaded by each without the layers that it has."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import docker
import docker.errors
from docker.models.images import Image

from stackctl.domain.lab import Layers, Node, left_out
from stackctl.engine.client import connect, docker_cli
from stackctl.engine.contexts import context_client
from stackctl.engine.lab import LOST
from stackctl.errors import StackctlError, Unreachable

PATIENCE = 300.0  # seconds; a big layer takes a while to unpack

Report = Callable[[str, str], None]


def send(references: Sequence[str], nodes: Iterable[Node], report: Report) -> None:
    """Give each node those of the images that it lacks; raises `StackctlError` for one that is nowhere."""
    own = connect()
    wanted = {reference: _image(own, reference) for reference in references}
    clients = [(node, _client(node)) for node in nodes]
    with ThreadPoolExecutor(max(len(clients), 1)) as pool:
        lacking = list(pool.map(lambda pair: _lacking(pair[1], wanted), clients))
        todo = [(node, client, names) for (node, client), names in zip(clients, lacking, strict=True) if names]
        if not todo:
            return
        with tempfile.NamedTemporaryFile(prefix="stackctl-images-") as saved:
            names = sorted({name for *_, lacks in todo for name in lacks})
            report("images", f"saving {len(names)}")
            _save(names, saved.name)
            layers = [_layers(wanted[name]) for name in names]

            def load(job: tuple[Node, docker.DockerClient, Sequence[str]]) -> None:
                node, client, lacks = job
                _load(client, node, saved.name, left_out(layers, _there(client)))
                report(node.name, f"has {', '.join(lacks)}")

            list(pool.map(load, todo))


def _image(client: docker.DockerClient, reference: str) -> Image:
    try:
        return client.images.get(reference)
    except docker.errors.NotFound:
        hint = f"build it, or `docker pull {reference}`, on this machine first"
        raise StackctlError("lab-image-missing", f"this machine's engine has no {reference}", hint=hint) from None


def _client(node: Node) -> docker.DockerClient:
    client = context_client(node.name, PATIENCE)
    if client is None:
        raise Unreachable("lab-node-silent", f"there is no Docker context for {node.name}", hint="stackctl lab up")
    return client


def _lacking(client: docker.DockerClient, wanted: dict[str, Image]) -> tuple[str, ...]:
    there = {tag: str(image["Id"]) for image in client.api.images() for tag in image["RepoTags"] or ()}
    return tuple(name for name, image in wanted.items() if there.get(_tagged(name)) != image.id)


def _tagged(reference: str) -> str:
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def _there(client: docker.DockerClient) -> list[Layers]:
    return [_layers(image) for image in client.images.list()]


def _layers(image: Image) -> Layers:
    return tuple(image.attrs["RootFS"].get("Layers") or ())


def _save(names: Iterable[str], path: str) -> None:
    command = (docker_cli(), "save", "--output", path, *names)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackctlError("lab-images-failed", done.stderr.strip(), where="docker save", hint="is the disk full?")


def _load(client: docker.DockerClient, node: Node, path: str, without: frozenset[str]) -> None:
    try:
        with tempfile.TemporaryFile() as smaller:
            _copy(path, smaller, without)
            smaller.seek(0)
            client.images.load(smaller)
    except LOST as error:
        raise StackctlError("lab-images-failed", str(error), where=node.name, hint="stackctl lab list") from error


def _copy(path: str, to: IO[bytes], without: frozenset[str]) -> None:
    """The archive without these layers: the engine asks for a layer's file only where it has no such layer."""
    with tarfile.open(path) as whole, tarfile.open(fileobj=to, mode="w") as part:
        for member in whole:
            if f"sha256:{member.name.rpartition('/')[2]}" not in without:
                part.addfile(member, whole.extractfile(member) if member.isreg() else None)
