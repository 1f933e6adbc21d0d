"""What a stack should be on an engine: workloads, free of any engine's file format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["consul", "redis", "sentinel", "registrator", "balancer", "vip", "service"]
# What may run on any machine; of the other parts each machine has its own.
SPREAD: tuple[Role, ...] = ("service", "balancer")
OUTSIDE = ("replicas", "live", "first", "nodes")  # the parts of a workload that its containers do not consist of


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the container made reachable on the engine's host: `host`, or any free one where that is 0; with `span`
    as many as there are replicas, from `host` on."""

    host: int
    container: int
    address: str = ""
    span: int = 1
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The engine's own check of a container; times in seconds."""

    command: tuple[str, ...]
    interval: float = 10.0
    timeout: float = 5.0
    start_period: float = 30.0
    start_interval: float = 0.5


@dataclass(frozen=True, slots=True)
class Workload:
    """Identical containers under one name.

    `image` is a tag; `build` the folder to build it from where that is the user's. `configs` are files by their path in
    the container: texts, or values that become JSON. `volumes` are named volumes by path; `binds` host paths by path.
    `link_local` is an address of its own on the stack's network that stays whatever the engine assigns; `address` is
    the one to assign, where the network has a subnet. `dns` are the servers for names that the engine does not know.
    `extra` is the spec's passthrough, in the engine's own keys. `live` are files like `configs` that may change while a
    container runs. `first` starts it before the others, because it waits by the clock. `aliases` are further names on
    the stack's network. `nodes` are the machines that it may run on; none: the only one.
    """

    name: str
    role: Role
    image: str
    replicas: int = 1
    build: str = ""
    hostname: str = ""
    link_local: str = ""
    address: str = ""
    dns: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, Any] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    binds: Mapping[str, str] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    health: HealthCheck | None = None
    stop_grace: float = 10.0
    capabilities: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, Any] = field(default_factory=dict)
    first: bool = False
    aliases: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    def allows(self, node: str) -> bool:
        """Whether its containers may run on that machine."""
        return not self.nodes or node in self.nodes

    @property
    def told(self) -> str:
        """The digest of what its containers can be told while they run; empty where that is nothing."""
        return hashlib.sha256(json.dumps(self.live, sort_keys=True).encode()).hexdigest()[:12] if self.live else ""

    @property
    def digest(self) -> str:
        """Of everything that makes a container what it is; replicas do not, nor does what it can be told, nor where it
        runs."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in OUTSIDE}
        text = json.dumps(parts, sort_keys=True, default=lambda value: {f: getattr(value, f) for f in value.__slots__})
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Desired:
    """All workloads of a stack, in the order in which they start; `subnet` is empty where the engine chooses.

    Of a part that every machine has, each has a workload of its own, all of one name. `project` is set where this is
    one machine's part of a stack.
    """

    stack: str
    workloads: tuple[Workload, ...]
    subnet: str = ""
    engine: str = "compose"
    project: str = ""

    def workload(self, name: str) -> Workload | None:
        """The workload of that name, or None."""
        return next((workload for workload in self.workloads if workload.name == name), None)
