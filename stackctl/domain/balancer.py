"""A balancer's configuration as values: which service answers where, with which backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import gcd

from stackctl.domain.catalog import CANARY_META, CatalogEntry
from stackctl.domain.files import FileTemplate
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.route import Route

ALIVE = "/.stackctl/alive"  # what keepalived asks for: nginx itself answers, no instance


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """An endpoint in a balancer's config, and whose it is."""

    id: str
    endpoint: Endpoint
    weight: int = 1


@dataclass(frozen=True, slots=True)
class RoutedService:
    """A service that the entry reaches; `catalog_name` is its name in the registry."""

    name: str
    catalog_name: str
    route: Route


@dataclass(frozen=True, slots=True)
class BalancerSettings:
    """What a balancer is told once, at its start; times in seconds.

    `services` are those of the spec; others are found in the registry. `https` and `tls` say whether these entries are
    open, `template` is the text of the user's own template, `empty` the status for a service without an instance,
    `alive` whether a page of nginx's own tells that it lives.
    """

    stack: str
    domain: str
    stub_status: bool
    connect_timeout: float
    shutdown_timeout: float
    registry: RegistrySettings
    services: tuple[RoutedService, ...]
    https: bool = False
    tls: bool = False
    template: str = ""
    empty: int = 503
    response_timeout: float = 60.0
    files: tuple[FileTemplate, ...] = ()
    alive: bool = False


Backends = Mapping[str, tuple[Backend, ...]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a config is made of: the services that are routed, and the backends of each by the service's name."""

    services: tuple[RoutedService, ...] = ()
    backends: Backends = field(default_factory=dict)


def backends(entries: Iterable[CatalogEntry]) -> tuple[Backend, ...]:
    """Backends in a fixed order, so that equal catalogs give equal configs.

    Where canaries stand beside others, the weights are such that the canaries together get their percent of the
    requests; else they are the entries' own.
    """
    stable: list[Backend] = []
    canaries: list[Backend] = []
    percent = 0
    for entry in entries:
        share = _percent(entry)
        (canaries if share else stable).append(Backend(entry.id, entry.endpoint, entry.weight))
        percent = max(percent, share)
    if not canaries or not stable:
        return tuple(sorted(stable + canaries))
    # Canaries of weight c beside others of weight s, in sum: c·a / (c·a + s·b) must be percent / 100.
    a = sum(backend.weight for backend in stable) * percent
    b = sum(backend.weight for backend in canaries) * (100 - percent)
    weighted = [replace(x, weight=x.weight * a) for x in canaries] + [replace(x, weight=x.weight * b) for x in stable]
    common = gcd(*(backend.weight for backend in weighted))
    return tuple(sorted(replace(backend, weight=backend.weight // common) for backend in weighted))


def least_share(members: Iterable[Backend]) -> float:
    """The share of the requests that the backend with the smallest weight gets; 1 where there is none."""
    weights = [backend.weight for backend in members]
    return min(weights) / sum(weights) if weights else 1.0


def _percent(entry: CatalogEntry) -> int:
    text = dict(entry.meta).get(CANARY_META, "")
    return int(text) if text.isdecimal() and 0 < int(text) < 100 else 0


@dataclass(frozen=True, slots=True)
class RunningConfig:
    """What the running nginx itself says it serves."""

    revision: str
    target: Target

    @property
    def backends(self) -> Backends:
        """The backends by service."""
        return self.target.backends
