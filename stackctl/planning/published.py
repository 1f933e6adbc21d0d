"""The ports that a service's `compose:` keys publish, in either of Compose's forms, as values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ADDRESS = r"(?P<address>\[[0-9a-fA-F:.]+\]|\d+(?:\.\d+){3})"
_SHORT = re.compile(rf"(?:{_ADDRESS}:)?(?:(?P<host>\d*):)?(?P<target>\d+)(?:/(?P<kind>tcp|udp|sctp))?")


@dataclass(frozen=True, slots=True)
class OwnPort:
    """One published port; `host` is 0 where the engine chooses it, `address` empty for every address of the host."""

    target: int
    host: int = 0
    protocol: str = "tcp"
    address: str = ""


def own_ports(compose: Mapping[str, Any]) -> Iterator[OwnPort]:
    """Each one; raises ValueError for one that is none, or is a range."""
    listed = compose.get("ports")
    for published in listed if isinstance(listed, list | tuple) else ():
        yield own_port(published)


def own_port(published: object) -> OwnPort:
    """`8080:80`, `80`, `127.0.0.1:53:53/udp`, or a mapping with `target`; raises ValueError for anything else."""
    if isinstance(published, Mapping):
        told = {key: str(published.get(key) or "") for key in ("target", "published", "protocol", "host_ip")}
        if not told["target"].isdecimal() or not (told["published"] or "0").isdecimal():
            raise ValueError("one port is wanted, and no range")
        host, protocol = int(told["published"] or 0), told["protocol"] or "tcp"
        return OwnPort(int(told["target"]), host, protocol, told["host_ip"])
    match = _SHORT.fullmatch(str(published))
    if match is None:
        raise ValueError("one port is wanted, and no range")
    return OwnPort(int(match["target"]), int(match["host"] or 0), match["kind"] or "tcp", match["address"] or "")
