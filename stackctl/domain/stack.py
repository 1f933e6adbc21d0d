"""A stack as its spec describes it, after validation: every value is present and means something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EngineKind = Literal["compose", "swarm", "hosts"]
Registering = Literal["registrator", "self", "api", "none"]
Addressing = Literal["container", "host"]


@dataclass(frozen=True, slots=True)
class Check:
    """How the registry asks an instance whether it serves; times in seconds."""

    kind: Literal["http", "tcp"] = "tcp"
    path: str = "/"
    interval: float = 1.0
    timeout: float = 1.0
    deregister_after: float = 5400.0


@dataclass(frozen=True, slots=True)
class Route:
    """How the entry reaches a service: by path prefix, by virtual host, or by a tcp port of its own."""

    kind: Literal["path", "host", "tcp"]
    path: str = "/"
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return {"path": self.path, "host": f"host:{self.host}", "tcp": f"tcp:{self.port}"}[self.kind]


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where a service's image comes from: a bundled sample (by name), a reference, or a folder to build."""

    kind: Literal["bundled", "reference", "build"]
    value: str


@dataclass(frozen=True, slots=True)
class Service:
    """One workload of the stack."""

    name: str
    image: ImageSource
    port: int
    replicas: int = 1
    route: Route | None = None
    register: Registering = "registrator"
    address: Addressing = "container"
    check: Check = Check()
    weight: int = 1
    stop_grace: float = 30.0
    compose: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsulRegistry:
    """A Consul cluster: servers with quorum, one client agent; `ui` is the port on 127.0.0.1, or None."""

    servers: int = 3
    ui: int | None = None


@dataclass(frozen=True, slots=True)
class Balancer:
    """The entry: nginx with its agent."""

    replicas: int = 1
    http: int = 80
    domain: str = "localhost"
    stub_status: bool = False
    connect_timeout: float = 0.5


@dataclass(frozen=True, slots=True)
class Stack:
    """What one stack.yaml describes. `origin` is the file it came from; `folder` is where relative paths start."""

    name: str
    services: tuple[Service, ...]
    engine: EngineKind = "compose"
    registry: ConsulRegistry = ConsulRegistry()
    balancer: Balancer = Balancer()
    origin: str = "stack.yaml"
    folder: str = "."

    def service(self, name: str) -> Service | None:
        """The service of that name, or None."""
        return next((service for service in self.services if service.name == name), None)
