"""What the balancer agent's reducer hears, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.domain.balancer import Backend, BalancerSettings, Target
from stackctl.domain.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Told:
    """New settings."""

    settings: BalancerSettings
    at: float


@dataclass(frozen=True, slots=True)
class NamesRead:
    """Every service that the registry has, by catalog name."""

    names: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class CatalogRead:
    """The registry answered for one service."""

    catalog: Catalog
    at: float


@dataclass(frozen=True, slots=True)
class RegistryLost:
    """The registry did not answer for one catalog name."""

    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """Fresh connections see the config of this target."""

    target: Target
    at: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """nginx refused the config, or did not confirm it; the one before still runs."""

    target: Target
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Drifted:
    """What runs or lies on disk is not what was applied."""

    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Answering:
    """Which of the instances of a service, by catalog name, accepted a connection."""

    service: str
    backends: tuple[Backend, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment that WakeAt asked for."""

    at: float


Event = Told | NamesRead | CatalogRead | RegistryLost | Applied | Rejected | Drifted | Answering | Tick


@dataclass(frozen=True, slots=True)
class Watch:
    """Follow this service in the registry, by catalog name."""

    service: str


@dataclass(frozen=True, slots=True)
class Unwatch:
    """It is gone: follow it no more."""

    service: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Make this the running config."""

    target: Target


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a Tick at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask instances whether they answer, `after` seconds from now; `Answering` is the reply."""

    service: str
    backends: tuple[Backend, ...]
    after: float = 0.0


Command = Watch | Unwatch | Apply | WakeAt | Ask
