"""How a registry is reached: what agents are told about it, as plain values that are written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# The name under which the Sentinels know the master and its replicas.
MASTER_NAME = "registry"


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Which registry, and where.

    consul: `url` is the client agent's. redis: `sentinels` are host:port, `nodes` a node's name by the address that the
    Sentinels know it by; `password` is empty where nobody asks for one; keys begin with `prefix` and live for `ttl`
    seconds. static: `lists` are instances as `container:port` by catalog name.
    """

    kind: Literal["consul", "redis", "static"]
    url: str = ""
    sentinels: tuple[str, ...] = ()
    nodes: Mapping[str, str] = field(default_factory=dict)
    password: str = field(default="", repr=False)
    prefix: str = ""
    ttl: float = 0.0
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
