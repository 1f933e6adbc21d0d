"""A stack as its spec describes it, after validation: every value is present and means something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from stackctl.domain.files import FileTemplate
from stackctl.domain.host import Host
from stackctl.domain.instance import Endpoint
from stackctl.domain.route import Route

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
class ImageSource:
    """Where a service's image comes from: a bundled sample (by name), a reference, or a folder to build."""

    kind: Literal["bundled", "reference", "build"]
    value: str


@dataclass(frozen=True, slots=True)
class Service:
    """One workload of the stack; `canary` is the percent of the requests that instances of this definition are to get
    together, beside those of another one, and 0 where it is the only one. `on` are the hosts that its instances may run
    on, empty for all."""

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
    canary: int = 0
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsulRegistry:
    """A Consul cluster: servers with quorum, one client agent; `ui` is the port on 127.0.0.1, or None.

    `subnet` is the stack's network where containers resolve names through the client agent, else empty. Checks that run
    a script are refused unless `script_checks`. `port` is the first of two by which nodes on several machines reach
    each other: requests, and gossip.
    """

    servers: int = 3
    ui: int | None = None
    subnet: str = ""
    script_checks: bool = False
    port: int = 8300


@dataclass(frozen=True, slots=True)
class RedisRegistry:
    """A Redis master with replicas and Sentinels; a registration lives for `ttl` seconds without a heartbeat.

    An empty `password` is none: nobody is asked for one.
    """

    replicas: int = 1
    sentinels: int = 3
    ttl: float = 12.0
    prefix: str = "/work"
    password: str = ""


@dataclass(frozen=True, slots=True)
class StaticRegistry:
    """A list of instances that is fixed when the stack is launched; nobody watches."""


Registry = ConsulRegistry | RedisRegistry | StaticRegistry


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its issuers and its key, as PEM texts."""

    chain: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Balancer:
    """The entry: nginx with its agent.

    `http`, `https` and `tls` are published ports: plain, with TLS terminated here (by `certificate`, else by one from a
    local authority of stackctl's own), and with TLS passed on to the instance that the hello names. `tcp` are ports
    published for services that only the registry knows. `template` is the text of the user's own template. `empty` is
    the status for a service without a passing instance. `shutdown_timeout` is how long connections may go on in workers
    of an older config. `virtual_address` is one that the balancers' machines share; empty without.
    """

    replicas: int = 1
    http: int = 80
    domain: str = "localhost"
    stub_status: bool = False
    connect_timeout: float = 0.5
    response_timeout: float = 60.0
    shutdown_timeout: float = 3600.0
    https: int | None = None
    tls: int | None = None
    tcp: tuple[int, ...] = ()
    certificate: Certificate | None = None
    template: str = ""
    files: tuple[FileTemplate, ...] = ()
    empty: Literal[502, 503] = 503
    virtual_address: str = ""


@dataclass(frozen=True, slots=True)
class External:
    """Endpoints that stackctl registers and does not run."""

    name: str
    endpoints: tuple[Endpoint, ...]
    route: Route | None = None
    check: Check = Check()


@dataclass(frozen=True, slots=True)
class Stack:
    """What one stack.yaml describes. `origin` is the file it came from; `folder` is where relative paths start.

    `hosts` are the machines of the engine `hosts`.
    """

    name: str
    services: tuple[Service, ...]
    engine: EngineKind = "compose"
    registry: Registry = ConsulRegistry()
    balancer: Balancer = Balancer()
    origin: str = "stack.yaml"
    folder: str = "."
    external: tuple[External, ...] = ()
    hosts: tuple[Host, ...] = ()

    def service(self, name: str) -> Service | None:
        """The service of that name, or None."""
        return next((service for service in self.services if service.name == name), None)
