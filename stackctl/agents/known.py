"""What the registry said about services and keys, as far as files may be rendered from it. Pure.

    names ────> named ──┐
    catalogs ─> told ───┼──> Known ──> complete? ──> services, values
    keys ─────> valued ─┤
    the clock > passed ─┘

Only what was read is known: a name without its catalog is no empty service. A service that the registry has forgotten
altogether keeps its instances for `DOUBT` seconds, and so does a file of an earlier agent while no service is named at
all: the registry may have been made anew, empty. One that knows a service's instances and calls none healthy is
believed at once, unless it has not asked them since its agent was started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stackctl.domain.catalog import Catalog, CatalogEntry, Names, Values, believed, servable
from stackctl.domain.instance import DNS_LABEL

DOUBT = 10.0  # seconds in which a registrator writes again what a registry forgot


@dataclass(frozen=True, slots=True)
class Known:
    """`prefixes` are the keys' that templates ask for, `names` the services' that can be watched, None until read;
    `doubted` are services that the registry forgot, with the time until which that is not believed. Until `adopted`
    a registry that names nobody is not believed either."""

    prefixes: frozenset[str] = frozenset()
    adopted: float = 0.0
    names: frozenset[str] | None = None
    catalogs: Mapping[str, Catalog] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    doubted: Mapping[str, float] = field(default_factory=dict)

    @property
    def watched(self) -> frozenset[str]:
        """The services to ask about: named ones, and those that still have instances."""
        return (self.names or frozenset()) | self.catalogs.keys()

    @property
    def services(self) -> Mapping[str, tuple[CatalogEntry, ...]]:
        """The instances that may serve, by service."""
        return {name: servable(catalog.entries) for name, catalog in self.catalogs.items()}

    def complete(self, at: float) -> bool:
        """Whether every name and every prefix was read, so that what is missing is missing."""
        if self.names is None or (not self.watched and at < self.adopted):
            return False
        return self.names <= self.catalogs.keys() and self.prefixes <= self.values.keys()

    def due(self, at: float) -> float | None:
        """When a doubt ends next."""
        return min((end for end in (self.adopted, *self.doubted.values()) if end > at), default=None)


def named(known: Known, names: Names) -> Known:
    """The registry has named all services."""
    return _forget(replace(known, names=frozenset(name for name in names.services if DNS_LABEL.match(name))))


def told(known: Known, catalog: Catalog, at: float) -> Known:
    """The registry has answered for one service."""
    name = catalog.service
    before = known.catalogs.get(name)
    if before and before.entries and not catalog.entries:
        return replace(known, doubted={name: at + DOUBT, **known.doubted})  # the first doubt counts
    catalog = believed(catalog, {entry.id for entry in servable(before.entries)} if before else ())
    doubted = {service: end for service, end in known.doubted.items() if service != name}
    return _forget(replace(known, catalogs={**known.catalogs, name: catalog}, doubted=doubted))


def valued(known: Known, prefix: str, values: Values) -> Known:
    """The registry has answered for the keys of one prefix."""
    return replace(known, values={**known.values, prefix: dict(values.items)})


def passed(known: Known, at: float) -> Known:
    """Doubts that are over: what was forgotten for that long is gone."""
    over = {name: Catalog(name) for name, end in known.doubted.items() if end <= at}
    doubted = {name: end for name, end in known.doubted.items() if name not in over}
    return _forget(replace(known, catalogs={**known.catalogs, **over}, doubted=doubted))


def _forget(known: Known) -> Known:
    """Without the services that have neither a name nor an instance any more."""
    if known.names is None:
        return known
    names = known.names
    return replace(known, catalogs={n: c for n, c in known.catalogs.items() if n in names or c.entries})
