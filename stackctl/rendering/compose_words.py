"""What the files of Compose and of a Swarm write in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackctl.domain.desired import HealthCheck


def health(check: HealthCheck) -> dict[str, Any]:
    """The engine's own check of a container."""
    return {
        "test": ["CMD", *(escape(word) for word in check.command)],
        "interval": f"{check.interval:g}s",
        "timeout": f"{check.timeout:g}s",
        "start_period": f"{check.start_period:g}s",
        "start_interval": f"{check.start_interval:g}s",
    }


def mapping(value: object) -> dict[str, Any]:
    """Labels and the like in either form, a mapping or a list of `key=value`."""
    if isinstance(value, Mapping):
        return dict(value)
    return dict(str(item).partition("=")[::2] for item in value) if isinstance(value, list | tuple) else {}


def environment(value: object) -> dict[str, Any]:
    """Compose's own words about the environment; a name alone takes the value from where the command runs."""
    if isinstance(value, list | tuple):
        return {name: text if equals else None for name, equals, text in (str(item).partition("=") for item in value)}
    return mapping(value)


def escape(text: str) -> str:
    """The spec is interpolated already; the command must not do it again."""
    return text.replace("$", "$$")


def escape_all(value: Any) -> Any:
    """Every text in a value."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {key: escape_all(item) for key, item in value.items()}
    return [escape_all(item) for item in value] if isinstance(value, list | tuple) else value
