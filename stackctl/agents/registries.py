"""The registry that an agent was told of, opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from stackctl.domain.registry import RegistrySettings
from stackctl.ports import Registry


def open_registry(
    told: RegistrySettings, environment: Mapping[str, str] = os.environ
) -> AbstractAsyncContextManager[Registry]:
    """A session with the registry; each kind is imported only where it is used, because agents stay small.

    With STACKCTL_AGENT the registry's agent is the one on this node, found through the engine.
    """
    match told.kind:
        case "consul":
            from stackctl.registry.consul import Consul

            if "STACKCTL_AGENT" not in environment:
                return Consul(told.url)
            from stackctl.agents.beside import Beside

            return Consul(told.url, resolver=Beside.of(environment))
        case "redis":
            from stackctl.registry.redis import Redis

            return Redis(told)
        case "static":
            from stackctl.registry.static import Static

            return Static(told.lists)
