"""Which files each image is built from, and the tag that names exactly these files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackctl.domain.image import BASE, ImageBuild, Recipe
from stackctl.rendering.templates import environment

# The modules that run inside a stack; a test holds this list against what they import.
AGENT_MODULES = (
    "__init__.py",
    "errors.py",
    "ports.py",
    "domain/*.py",
    "agents/*.py",
    "registry/*.py",
    "probing/*.py",
    "engine/__init__.py",
    "engine/container_json.py",
    "engine/events.py",
    "rendering/__init__.py",
    "rendering/templates.py",
    "rendering/files.py",
    "rendering/nginx.py",
    "verifying/__init__.py",
    "verifying/drained.py",
)


@dataclass(frozen=True, slots=True)
class Component:
    """What an image needs besides the files in `templates/images/<its name>/`.

    `official` is the reference to start from where a registry answers; `modules` are stackctl's own, `templates` are
    folders of templates that are rendered inside the stack; `shared` are files of other components that lie beside its
    own.
    """

    official: str = ""
    modules: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


# What sample apps serve with.
TCP = ("whoami/listener.py",)
HTTP = (*TCP, "whoami/server.py", "whoami/wire.py")

COMPONENTS: Mapping[str, Component] = {
    "consul": Component(official="hashicorp/consul:1.20"),
    "redis": Component(official="redis:8"),
    "registrator": Component(modules=AGENT_MODULES),
    "balancer": Component(modules=AGENT_MODULES, templates=("nginx",)),
    "heartbeat": Component(modules=AGENT_MODULES),
    "keepalived": Component(modules=AGENT_MODULES),
    "node": Component(),
    "whoami": Component(),
    "live": Component(shared=HTTP),
    "backend": Component(shared=HTTP),
    "front": Component(shared=HTTP),
    "echo": Component(shared=TCP),
    "webapp": Component(shared=("whoami/app.py", "whoami/streams.py", *HTTP), modules=AGENT_MODULES),
}


def image_build(name: str, *, templates: Path, package: Path) -> ImageBuild:
    """The image of a component, from stackctl's `templates` folder and its own `package` folder."""
    component = COMPONENTS[name]
    bases = (component.official, BASE) if component.official else (BASE,)  # the preferred first
    recipes = tuple(_recipe(name, base, templates, package) for base in bases)
    return ImageBuild(name, f"stackctl/{name}:{_digest(recipes)}", recipes)


def _recipe(name: str, base: str, templates: Path, package: Path) -> Recipe:
    component = COMPONENTS[name]
    folder = templates / "images" / name
    dockerfile = environment(templates / "images").get_template(f"{name}/Dockerfile.j2")
    files = {"Dockerfile": dockerfile.render(base=base, official=component.official)}
    files |= _texts(folder, ("*",), "")
    if base == BASE:
        files |= {Path(name).name: (templates / "images" / name).read_text("utf-8") for name in component.shared}
        files |= _texts(package, component.modules, "stackctl/")
        for room in component.templates:
            files |= _texts(templates / room, ("**/*",), f"templates/{room}/")
    return Recipe(base, files)


def _texts(folder: Path, patterns: Iterable[str], prefix: str) -> dict[str, str]:
    """The files that match, by their path in the build context; Dockerfile templates and caches are no part of it."""
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return {
        prefix + path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(found)
        if path.name != "Dockerfile.j2" and "__pycache__" not in path.parts
    }


def _digest(recipes: Iterable[Recipe]) -> str:
    """Over every base, path and content."""
    text = json.dumps([[recipe.base, sorted(recipe.files.items())] for recipe in recipes])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
