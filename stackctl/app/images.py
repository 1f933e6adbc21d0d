"""The images of a stack: which tags it needs, and having them on the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

from stackctl.app.project import Project
from stackctl.domain.image import ImagePolicy
from stackctl.domain.instance import EngineState
from stackctl.domain.stack import Service

# The component by role.
PARTS = {
    "consul": "consul",
    "redis": "redis",
    "sentinel": "redis",
    "registrator": "registrator",
    "balancer": "balancer",
    "vip": "keepalived",
}
IGNORED = frozenset({".git", ".stackctl", "__pycache__", "node_modules", ".venv"})


def known_images(project: Project) -> dict[str, str]:
    """Tags by component, and by `build:<service>` for the user's own folders. A tag is the digest of what it is built
    from, so it is known without asking the engine."""
    tags = {build.component: build.tag for build in project.own_images}
    for service in project.stack.services:
        if service.image.kind == "build":
            digest = folder_digest(Path(service.image.value))
            tags[f"build:{service.name}"] = f"{project.stack.name}-{service.name}:{digest}"
    return tags


def running_images(project: Project, seen: EngineState) -> dict[str, str]:
    """Tags as `known_images` gives them, but of what runs: to make more of the same, whatever was edited since."""
    tags = known_images(project)
    keys = {service.name: image_key(service) for service in project.stack.services}
    for instance in (instance for instance in seen.instances if not instance.canary):
        if key := PARTS.get(instance.role) or keys.get(instance.service):
            tags[key] = instance.image
    return tags


def ensure_images(project: Project, tags: Mapping[str, str], *, policy: str) -> None:
    """Build or pull what is not there of these tags of stackctl's own images, and bring it to where it may run.

    Raises `Unreachable` without an engine and `StackctlError` where an image can't be had.
    """
    own = [tag for component, tag in tags.items() if not component.startswith("build:")]
    if project.engine.has_images(own) != set(own):
        from stackctl.engine.images import ensure

        with _builder(project):
            ensure(project.own_images, cast(ImagePolicy, policy), project.progress.step)
    others = [service.image.value for service in project.stack.services if service.image.kind == "reference"]
    project.engine.send_images([*own, *others], project.progress)


def _builder(project: Project) -> AbstractContextManager[None]:
    """Where images are made: on this machine, where the chosen engine is one of a Swarm's managers."""
    from stackctl.engine.client import at_home

    return at_home() if project.stack.engine == "swarm" else nullcontext()


def build_own(project: Project, images: Mapping[str, str]) -> None:
    """Build the services that have a folder in the spec, where the engine does not have that image yet."""
    folders = {images[f"build:{s.name}"]: s for s in project.stack.services if s.image.kind == "build"}
    present = project.engine.has_images(folders)
    for service in (service for tag, service in folders.items() if tag not in present):
        project.progress.step(service.name, f"building from {service.image.value}")
        project.engine.build(service.name)
        project.engine.send_images([images[f"build:{service.name}"]], project.progress)
        project.progress.step(service.name, "built")


def build_contexts(project: Project, images: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """What each of stackctl's own images is built from without an image registry, by component, as files."""
    return {build.component: build.files for build in project.own_images if build.component in images}


def image_key(service: Service) -> str:
    """Under which name the tag of a service's image is known; one with an image of the user's has none."""
    return service.image.value if service.image.kind == "bundled" else f"build:{service.name}"


def folder_digest(folder: Path) -> str:
    """Of every file that a build from this folder can see: names, modes and contents."""
    digest = hashlib.sha256()
    for path in _files(folder):
        mode = path.stat().st_mode & 0o777
        digest.update(f"{path.relative_to(folder)}\0{mode:o}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in IGNORED:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file():
            yield path
