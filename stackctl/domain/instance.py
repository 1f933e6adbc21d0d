"""An instance: one running container of a service, and where it answers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

# Names that reach a config, a label or a URL: what Docker allows in a container's name, bounded.
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}\Z")
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")

_ENDPOINT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]{1,5})\Z")
_TASK = re.compile(r"(.+\.\d+)\.[a-z0-9]{25}\Z")


def short_id(stack: str, id: str) -> str:
    """An instance as people call it: without its stack's name in front, a Swarm's task without its own id behind."""
    own = id.removeprefix(f"{stack}-").removeprefix(f"{stack}_")
    task = _TASK.match(own)
    return task[1] if task else own


State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
Health = Literal["none", "starting", "healthy", "unhealthy"]


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An IP address and a port (1 to 65535); anything else is a ValueError, so that no free text reaches a config."""

    address: str
    port: int

    def __post_init__(self) -> None:
        if "%" in self.address:  # a scope may be any text
            raise ValueError(f"{self.address!r} is an address with a scope")
        ipaddress.ip_address(self.address)
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """`192.0.2.1:80` or `[2001:db8::1]:80`, and nothing that merely resembles them; else a ValueError."""
        written = _ENDPOINT.match(text)
        if not written:
            raise ValueError(f"{text!r} is not written as 192.0.2.1:80 or [2001:db8::1]:80")
        return cls(written["six"] or written["four"], int(written["port"]))


@dataclass(frozen=True, slots=True)
class Instance:
    """One container of the stack as the engine shows it.

    `id` is the container's name, the word that people and every report use; `container` is the engine's own id.
    `digest` is the digest of the definition it was made from; `created` is seconds since the epoch. `published` are the
    host's ports, `ports` the host's port by the container's. `canary` is the percent of a canary, else 0. `node` is the
    machine that it runs on, by name; empty where there is only one. `trouble` is why it is not as it should be, if the
    engine says so.
    """

    id: str
    service: str
    role: str
    container: str
    state: State
    health: Health
    created: float
    digest: str
    image: str
    endpoint: Endpoint | None = None
    published: tuple[int, ...] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    canary: int = 0
    node: str = ""
    trouble: str = ""

    @property
    def serving(self) -> bool:
        """Running and, where the image has a health check, healthy."""
        return self.state == "running" and self.health in ("none", "healthy")

    @property
    def condition(self) -> str:
        """What explains it: its state, or its health when that is what is wrong; and why, where the engine says so."""
        word = self.health if self.state == "running" and self.health not in ("none", "healthy") else self.state
        return f"{word} ({self.trouble})" if self.trouble else word


def steadiest(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    """In the order in which they are kept: those that serve first, and among them the oldest."""
    return tuple(sorted(instances, key=lambda i: (not i.serving, i.created, i.id)))


@dataclass(frozen=True, slots=True)
class Run:
    """How the runs of one container ended so far."""

    restarts: int = 0
    exit_code: int = 0
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class EngineState:
    """Everything of one stack that the engine has, observed once.

    `nodes` are its machines by name, empty where there is only one; `unreachable` are those that could not be observed,
    with the reason: what runs there is not among the instances.
    """

    instances: tuple[Instance, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)

    def of(self, service: str) -> tuple[Instance, ...]:
        """The instances of a service, oldest first."""
        chosen = (instance for instance in self.instances if instance.service == service)
        return tuple(sorted(chosen, key=lambda instance: (instance.created, instance.id)))
