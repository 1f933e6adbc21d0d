"""The registrator: `python3 -m stackctl.agents.registrator`, one a host, beside the engine's socket.

STACKCTL_STACK          the stack that it registers for
STACKCTL_NETWORK        the network on which instances are asked and registered
STACKCTL_REGISTRY       consul://consul-agent:8500; without it, what /etc/stackctl/registry.json says
STACKCTL_OWNER          whose registrations are its own, the same after every restart: <stack>/<host>
STACKCTL_HOST_IP        the host's address, for instances that are registered by it (default: the network's gateway);
                        `node` asks the engine, which knows it in a Swarm
STACKCTL_AGENT          the service whose container on this node is the registry's agent (default: what the name says)
STACKCTL_BALANCERS      the name of the balancers, which are asked before an instance that was merely warned ends
STACKCTL_SCRIPT_CHECKS  `true` where the registry may run scripts that containers name (default: it may not)
STACKCTL_RELIST         seconds between two looks at everything (default 2)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from stackctl.agents import settings
from stackctl.agents.balancers import Balancers
from stackctl.agents.door import door
from stackctl.agents.loop import Log, run, serve
from stackctl.agents.registrar import Registrar
from stackctl.agents.registries import open_registry
from stackctl.domain.conventions import Scope
from stackctl.domain.registry import RegistrySettings
from stackctl.engine.events import SOCKET, EngineSocket
from stackctl.errors import StackctlError

NAME = "registrator"
NOBODY = 65534
NODE = "node"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the registrator is told by its environment."""

    scope: Scope
    registry: RegistrySettings
    relist: float = 2.0
    balancers: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The settings in an environment; raises `StackctlError` where one is missing or no number."""
        try:
            scope = Scope(
                stack=environment["STACKCTL_STACK"],
                network=environment["STACKCTL_NETWORK"],
                owner=environment["STACKCTL_OWNER"],
                host=environment.get("STACKCTL_HOST_IP", ""),
                script_checks=environment.get("STACKCTL_SCRIPT_CHECKS") == "true",
            )
            url = environment.get("STACKCTL_REGISTRY", "").replace("consul://", "http://", 1)
            registry = RegistrySettings("consul", url=url) if url else settings.registry()
            relist = float(environment.get("STACKCTL_RELIST", "2"))
            return cls(scope, registry, relist, environment.get("STACKCTL_BALANCERS", ""))
        except KeyError as missing:
            raise StackctlError("registrator-settings", f"{missing.args[0]} is not set") from missing
        except ValueError as wrong:
            raise StackctlError("registrator-settings", f"STACKCTL_RELIST: {wrong}") from wrong


def drop_privileges(socket: str) -> None:
    """From root to nobody who may still use the engine's socket; needs CAP_SETUID and CAP_SETGID only."""
    if os.getuid() == 0:
        os.setgroups([Path(socket).stat().st_gid])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


async def registrator(environment: Mapping[str, str], log: Log) -> None:
    """Register until cancelled."""
    told = Settings.of(environment)
    drop_privileges(SOCKET)
    async with EngineSocket(SOCKET) as engine, open_registry(told.registry, environment) as registry, door():
        scope = told.scope
        if scope.host == NODE:
            scope = replace(scope, host=await engine.node_address())
        balancers = Balancers(told.balancers)
        registrar = Registrar(scope, engine, registry, log, relist=told.relist, balancers=balancers)
        async with await serve(NAME, registrar.health, registrar.metrics):
            log("started", stack=scope.stack, owner=scope.owner)
            await registrar.run()


if __name__ == "__main__":
    log = Log(NAME)
    run(registrator(os.environ, log), log)
