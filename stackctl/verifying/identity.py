"""Whose registration is it? Who registers himself may not know his container's name, but his endpoint tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from stackctl.domain.balancer import Backend
from stackctl.domain.catalog import Catalog, CatalogEntry
from stackctl.domain.observation import BalancerSeen, Observation

Named = TypeVar("Named", CatalogEntry, Backend)


def identified(seen: Observation) -> Observation:
    """The observation with instance ids wherever an unknown id stands at an instance's endpoint."""
    instances = [i for i in seen.engine.instances if i.role == "service"]
    owners = {str(i.endpoint): i.id for i in instances if i.endpoint}

    def named(found: Iterable[Named]) -> tuple[Named, ...]:
        members = tuple(found)
        taken = {member.id for member in members}  # who stands here under his own name is not here twice
        result: list[Named] = []
        for member in members:
            owner = owners.get(str(member.endpoint))
            if owner is None or owner in taken:
                result.append(member)
            else:
                taken.add(owner)
                result.append(replace(member, id=owner))
        return tuple(result)

    def balancer(found: BalancerSeen) -> BalancerSeen:
        return replace(found, backends={name: named(members) for name, members in found.backends.items()})

    catalogs: Mapping[str, Catalog] = {
        name: replace(catalog, entries=named(catalog.entries)) for name, catalog in seen.catalogs.items()
    }
    return replace(seen, catalogs=catalogs, balancers=tuple(map(balancer, seen.balancers)))
