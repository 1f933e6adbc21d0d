"""What agents are told at their start, read from the container's files; the planner writes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from stackctl.domain.balancer import BalancerSettings, RoutedService
from stackctl.domain.files import FileTemplate
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.route import Route

BALANCER = Path("/etc/stackctl/balancer.json")
TOLD = Path("/run/stackctl/balancer.json")  # what a running balancer was told since
REGISTRY = Path("/etc/stackctl/registry.json")


def text(told: Path = TOLD, rendered: Path = BALANCER) -> str:
    """The balancer's settings as JSON: what it was told last, else what was rendered for it."""
    return (told if told.exists() else rendered).read_text()


def digest(text: str) -> str:
    """By which an agent says which settings it has taken."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def balancer(given: str | None = None) -> BalancerSettings:
    """The balancer's settings; `given` is their JSON."""
    data = json.loads(given or text())
    return BalancerSettings(
        **{
            **data,
            "registry": _registry(data["registry"]),
            "services": tuple(map(_routed, data["services"])),
            "files": tuple(map(_file, data["files"])),
        }
    )


def known_registry() -> RegistrySettings:
    """The registry that the agent in this container works with, whichever agent that is; an empty list for none."""
    if BALANCER.exists():
        return balancer().registry
    return registry() if REGISTRY.exists() else RegistrySettings("static")


def registry(path: Path = REGISTRY) -> RegistrySettings:
    """The settings that were rendered for an agent that needs the registry only."""
    return _registry(json.loads(path.read_text()))


def _routed(data: dict[str, Any]) -> RoutedService:
    return RoutedService(data["name"], data["catalog_name"], Route(**data["route"]))


def _file(data: dict[str, Any]) -> FileTemplate:
    return FileTemplate(**{**data, "keys": tuple(data["keys"])})


def _registry(data: dict[str, Any]) -> RegistrySettings:
    lists = {name: tuple(members) for name, members in data["lists"].items()}
    return RegistrySettings(**{**data, "sentinels": tuple(data["sentinels"]), "lists": lists})
