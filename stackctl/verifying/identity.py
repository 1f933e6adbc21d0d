"""Whose registration is it? Who registers himself may not know his container's name, but his endpoint tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stackctl.domain.balancer import Backend
from stackctl.domain.catalog import Catalog, CatalogEntry
from stackctl.domain.observation import BalancerSeen, Observation


def identified(seen: Observation) -> Observation:
    """The observation with instance ids wherever an unknown id stands at an instance's endpoint."""
    instances = [i for i in seen.engine.instances if i.role == "service"]
    known = {i.id for i in instances}
    owners = {str(i.endpoint): i.id for i in instances if i.endpoint}

    def entry(found: CatalogEntry) -> CatalogEntry:
        owner = owners.get(str(found.endpoint))
        return found if found.id in known or owner is None else replace(found, id=owner)

    def backend(found: Backend) -> Backend:
        owner = owners.get(str(found.endpoint))
        return found if found.id in known or owner is None else replace(found, id=owner)

    def balancer(found: BalancerSeen) -> BalancerSeen:
        members = {name: tuple(map(backend, members)) for name, members in found.backends.items()}
        return replace(found, backends=members)

    catalogs: Mapping[str, Catalog] = {
        name: replace(catalog, entries=tuple(map(entry, catalog.entries))) for name, catalog in seen.catalogs.items()
    }
    return replace(seen, catalogs=catalogs, balancers=tuple(map(balancer, seen.balancers)))
