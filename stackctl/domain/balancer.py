"""A balancer's configuration as values: which service answers where, with which backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stackctl.domain.catalog import CatalogEntry
from stackctl.domain.files import FileTemplate
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.route import Route


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
    open, `template` is the text of the user's own template, `empty` the status for a service without an instance.
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


Backends = Mapping[str, tuple[Backend, ...]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a config is made of: the services that are routed, and the backends of each by the service's name."""

    services: tuple[RoutedService, ...] = ()
    backends: Backends = field(default_factory=dict)


def backends(entries: Iterable[CatalogEntry]) -> tuple[Backend, ...]:
    """Backends in a fixed order, so that equal catalogs give equal configs."""
    return tuple(sorted(Backend(entry.id, entry.endpoint, entry.weight) for entry in entries))


@dataclass(frozen=True, slots=True)
class RunningConfig:
    """What the running nginx itself says it serves."""

    revision: str
    target: Target

    @property
    def backends(self) -> Backends:
        """The backends by service."""
        return self.target.backends
