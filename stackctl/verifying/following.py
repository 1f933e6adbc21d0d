"""Whether one balancer runs what the registry says now. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from stackctl.domain.balancer import Backend, RoutedService, backends
from stackctl.domain.catalog import Catalog, servable
from stackctl.domain.observation import Observation


def behind(balancer: str, routed: Iterable[RoutedService], seen: Observation) -> str:
    """In words, why it does not serve what the registry has; empty where its running config is exactly that."""
    running = next((found for found in seen.balancers if found.id == balancer), None)
    if running is None:
        return "it does not run"
    if running.unreachable:
        return f"it can't be asked: {running.unreachable}"
    if seen.registry_lost:
        return f"nobody can tell what it should serve: {seen.registry_lost}"
    for service in routed:
        wanted = backends(servable(seen.catalogs.get(service.catalog_name, Catalog("")).entries))
        served = tuple(sorted(running.backends.get(service.name, ())))
        if served != wanted:
            cause = running.rejected or running.agent or f"it runs revision {running.revision[:8]}"
            return f"{service.name}: it serves {_named(served)}, the registry has {_named(wanted)}; {cause}"
    return ""


def _named(members: tuple[Backend, ...]) -> str:
    return ", ".join(f"{backend.id} at {backend.endpoint}" for backend in members) or "nobody"
