"""Images from this machine's engine to others: saved once, loaded by each without the layers that it has."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

import docker
import docker.errors
import requests.exceptions
from docker.models.images import Image

from stackctl.domain.lab import Layers, left_out
from stackctl.engine.commands import docker_cli
from stackctl.errors import StackctlError

LOST = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)

Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Receiver:
    """An engine that gets images, and the name by which people know it."""

    name: str
    client: docker.DockerClient


def images(client: docker.DockerClient, references: Iterable[str]) -> dict[str, Image]:
    """Those of the images that an engine has."""
    found = {}
    for reference in references:
        try:
            found[reference] = client.images.get(reference)
        except docker.errors.NotFound:
            continue
    return found


def send(wanted: Mapping[str, Image], receivers: Iterable[Receiver], report: Report) -> None:
    """Give each engine those of this machine's images that it lacks; raises `StackctlError` where one refuses."""
    everyone = tuple(receivers)
    with ThreadPoolExecutor(max(len(everyone), 1)) as pool:
        lacking = list(pool.map(lambda receiver: _lacking(receiver, wanted), everyone))
        todo = [(receiver, names) for receiver, names in zip(everyone, lacking, strict=True) if names]
        if not todo:
            return
        with tempfile.NamedTemporaryFile(prefix="stackctl-images-") as saved:
            names = sorted({name for _, lacks in todo for name in lacks})
            report("images", f"saving {len(names)}")
            _save(names, saved.name)
            layers = [_layers(wanted[name]) for name in names]

            def load(job: tuple[Receiver, Sequence[str]]) -> None:
                receiver, lacks = job
                _load(receiver, saved.name, layers)
                report(receiver.name, f"has {', '.join(lacks)}")

            list(pool.map(load, todo))


def _lacking(receiver: Receiver, wanted: Mapping[str, Image]) -> tuple[str, ...]:
    with_tags = (image for image in receiver.client.api.images() if image["RepoTags"])
    there = {tag: str(image["Id"]) for image in with_tags for tag in image["RepoTags"]}
    return tuple(name for name, image in wanted.items() if there.get(_tagged(name)) != image.id)


def _tagged(reference: str) -> str:
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def _layers(image: Image) -> Layers:
    return tuple(image.attrs["RootFS"].get("Layers") or ())


def _save(names: Iterable[str], path: str) -> None:
    command = (docker_cli(), "save", "--output", path, *names)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackctlError("images-not-sent", done.stderr.strip(), where="docker save", hint="is the disk full?")


def _load(receiver: Receiver, path: str, layers: Iterable[Layers]) -> None:
    try:
        without = left_out(layers, [_layers(image) for image in receiver.client.images.list()])
        with tempfile.TemporaryFile() as smaller:
            _copy(path, smaller, without)
            smaller.seek(0)
            receiver.client.images.load(smaller)
    except LOST as error:
        raise StackctlError("images-not-sent", str(error), where=receiver.name, hint="is its disk full?") from error


def _copy(path: str, to: IO[bytes], without: frozenset[str]) -> None:
    """The archive without these layers: the engine asks for a layer's file only where it has no such layer."""
    with tarfile.open(path) as whole, tarfile.open(fileobj=to, mode="w") as part:
        for member in whole:
            if f"sha256:{member.name.rpartition('/')[2]}" not in without:
                part.addfile(member, whole.extractfile(member) if member.isreg() else None)
