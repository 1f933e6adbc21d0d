"""What a service's `compose:` keys say to a registrator: labels over environment."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.domain.stack import Service


def settings_of(service: Service) -> Mapping[str, str]:
    """The labels over the environment that the service's containers will have."""
    return {**_strings(service.compose.get("environment")), **_strings(service.compose.get("labels"))}


def _strings(value: object) -> Mapping[str, str]:
    """Labels or environment in either of Compose's forms, a mapping or a list of `key=value`, as a mapping."""
    if isinstance(value, Mapping):
        return {str(key): "" if item is None else str(item) for key, item in value.items()}
    pairs = (str(item).partition("=") for item in value) if isinstance(value, list | tuple) else ()
    return {key: item for key, _, item in pairs}
