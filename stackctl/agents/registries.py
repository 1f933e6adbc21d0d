"""The registry that an agent was told of, opened."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from stackctl.domain.registry import RegistrySettings
from stackctl.ports import Registry


def open_registry(told: RegistrySettings) -> AbstractAsyncContextManager[Registry]:
    """A session with the registry; each kind is imported only where it is used, because agents stay small."""
    match told.kind:
        case "consul":
            from stackctl.registry.consul import Consul

            return Consul(told.url)
        case "redis":
            from stackctl.registry.redis import Redis

            return Redis(told)
        case "static":
            from stackctl.registry.static import Static

            return Static(told.lists)
