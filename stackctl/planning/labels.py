"""What a service's `compose:` keys say to a registrator: labels over environment, and published ports."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stackctl.domain.stack import Service

_LOOPBACK = re.compile(r"127\.|\[?::1\]?(?:\Z|:)")


def settings_of(service: Service) -> Mapping[str, str]:
    """The labels over the environment that the service's containers will have."""
    return {**_strings(service.compose.get("environment")), **_strings(service.compose.get("labels"))}


def publishes(service: Service, port: int) -> bool:
    """Whether the service's own `ports` publish a tcp port of it, in either of Compose's forms."""
    ports = service.compose.get("ports")
    return any(_target(published) == port for published in (ports if isinstance(ports, list | tuple) else ()))


def _target(published: object) -> int:
    """The container's port, where it is published for tcp and not on the loopback only; else 0."""
    if isinstance(published, Mapping):
        target, protocol = str(published.get("target", "")), str(published.get("protocol") or "tcp")
        local = _LOOPBACK.match(str(published.get("host_ip") or ""))
    else:
        ports, _, protocol = str(published).partition("/")
        target, local = ports.rpartition(":")[2], _LOOPBACK.match(ports)
    return int(target) if target.isdecimal() and protocol in ("", "tcp") and not local else 0


def _strings(value: object) -> Mapping[str, str]:
    """Labels or environment in either of Compose's forms, a mapping or a list of `key=value`, as a mapping."""
    if isinstance(value, Mapping):
        return {str(key): "" if item is None else str(item) for key, item in value.items()}
    pairs = (str(item).partition("=") for item in value) if isinstance(value, list | tuple) else ()
    return {key: item for key, _, item in pairs}
