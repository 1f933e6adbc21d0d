"""Verdicts: whether the layers agree, and where they first do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stackctl.domain.instance import Endpoint
from stackctl.domain.observation import Traffic

Outcome = Literal["converged", "diverged", "unstable", "timeout"]
Layer = Literal["engine", "registry", "config", "entry", "traffic", "dns"]


@dataclass(frozen=True, slots=True)
class ExpectedService:
    """What one service must look like when the stack has converged.

    `resolved` services are found by DNS; `ports` are the published ones that must lead to it. `given` are the
    endpoints, by id, of a service that stackctl does not run. `nodes` are the machines that it may run on, none for the
    only one.
    """

    name: str
    catalog_name: str
    replicas: int
    registered: bool
    routed: bool
    resolved: bool = False
    ports: frozenset[int] = frozenset()
    given: Mapping[str, Endpoint] | None = None
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """An address that one of these machines has at a time."""

    address: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the proof holds the observations against; `balancers` is how many there must be, `fixed` says that the
    registry is a list that nobody keeps up to date, `shared` is the virtual address, if there is one."""

    stack: str
    services: tuple[ExpectedService, ...]
    balancers: int
    fixed: bool = False
    shared: SharedAddress | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first layer that differs from the one before, with the instances that make the difference.

    A `lasting` one can't end by itself: nobody works on it.
    """

    layer: Layer
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    reason: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class ServiceVerdict:
    """One service through all layers: instance ids in each; config and traffic by balancer or entry."""

    name: str
    desired: tuple[str, ...]
    engine: tuple[str, ...] = ()
    registry: tuple[str, ...] = ()
    config: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    traffic: Mapping[str, TrafficVerdict] = field(default_factory=dict)
    dns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    divergence: Divergence | None = None


@dataclass(frozen=True, slots=True)
class TrafficVerdict:
    """Requests through one way in, by instance; a stranger is an answer from no instance of the service."""

    requests: int
    errors: int
    by_instance: Mapping[str, int]
    strangers: int
    seen: Traffic = field(default_factory=Traffic, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """All services at one moment."""

    at: float
    revision: str
    services: tuple[ServiceVerdict, ...]

    @property
    def agrees(self) -> bool:
        """Every layer of every service agrees, and there was something to agree on."""
        return bool(self.services) and all(service.divergence is None for service in self.services)

    @property
    def divergences(self) -> tuple[tuple[str, Divergence], ...]:
        """The first divergence of each service that has one."""
        return tuple((s.name, s.divergence) for s in self.services if s.divergence)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement that stood at the end, what it amounts to, how long it held and how long it took (seconds).

    `after` is when the layers came to agree, of a stack that converged while it was looked at; None of one that had.
    """

    outcome: Outcome
    judgement: Judgement
    stable_for: float
    elapsed: float
    reason: str = ""
    after: float | None = None
