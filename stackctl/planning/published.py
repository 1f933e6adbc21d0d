"""The ports that a service's `compose:` keys publish, in either of Compose's forms, as values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

_SHORT = re.compile(
    r"(?:(?:(?P<address>.*):)?(?P<host>[0-9-]*):)?(?P<target>[0-9-]+)(?:/(?P<kind>tcp|udp|sctp))?", re.IGNORECASE
)
_SPAN = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_LAST = 65535


@dataclass(frozen=True, slots=True)
class OwnPort:
    """One published port; `host` is 0 where the engine chooses it, `address` empty for every address of the host."""

    target: int
    host: int = 0
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True, slots=True)
class OwnPorts:
    """What one item publishes: ports of the container at as many of the host. `host` is empty where the engine chooses
    among all, and longer where it chooses among these."""

    target: range
    host: range
    protocol: str = "tcp"
    address: str = ""


def own_ports(compose: Mapping[str, Any]) -> Iterator[OwnPort]:
    """Each one; raises ValueError for one that is none, or is a range."""
    listed = compose.get("ports")
    for published in listed if isinstance(listed, list | tuple) else ():
        yield own_port(published)


def own_port(published: object) -> OwnPort:
    """The one port that an item publishes; raises ValueError for a range."""
    found = ports_of(published)
    if len(found.target) > 1 or len(found.host) > 1:
        raise ValueError("one port is wanted, and no range")
    return OwnPort(found.target[0], next(iter(found.host), 0), found.protocol, found.address)


def ports_of(published: object) -> OwnPorts:
    """`8080:80`, `80`, `8080-8082:80-82`, `127.0.0.1:53:53/udp`, or a mapping with `target`; raises ValueError for
    anything else."""
    if isinstance(published, Mapping):
        told = {key: str(published.get(key) or "") for key in ("target", "published", "protocol", "host_ip")}
        if not told["target"]:
            raise ValueError("`target` is required")
        return _ports(told["target"], told["published"], told["protocol"], told["host_ip"])
    match = _SHORT.fullmatch(str(published))
    if match is None:
        raise ValueError(f"{str(published)[:50]!r} publishes no port")
    return _ports(match["target"], match["host"] or "", match["kind"] or "", match["address"] or "")


def _ports(target: str, host: str, protocol: str, address: str) -> OwnPorts:
    inside, outside = _span(target), _span(host) if host.strip("0") else range(0)
    if outside and len(inside) not in (1, len(outside)):
        raise ValueError(f"{len(inside)} ports of the container can't have {len(outside)} of the host")
    return OwnPorts(inside, outside, protocol.lower() or "tcp", _address(address))


def _span(text: str) -> range:
    match = _SPAN.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last <= _LAST:
        raise ValueError(f"{text[:50]!r} is no port")
    return range(first, last + 1)


def _address(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ip_address(bare)) if bare else ""
    except ValueError:
        raise ValueError(f"{text[:50]!r} is no address") from None
