"""Which of the registry's agents is on this node, where every node has one: the node's own engine says.

In a Swarm one name stands for the agents of all nodes, and what one of them holds no other can change.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aiohttp.abc import AbstractResolver, ResolveResult

from stackctl.domain.wishes import SERVICE_LABEL, STACK_LABEL
from stackctl.engine.events import SOCKET, EngineSocket
from stackctl.errors import Unreachable


@dataclass(frozen=True)
class Beside(AbstractResolver):
    """Resolves every name to the address of the stack's own container of a service, anew for each connection."""

    stack: str
    service: str
    network: str
    engine: str = SOCKET

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """As the planner told it."""
        return cls(environment["STACKCTL_STACK"], environment["STACKCTL_AGENT"], environment["STACKCTL_NETWORK"])

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's
    ) -> list[ResolveResult]:
        """The newest one's address; raises `OSError` where there is none."""
        labels = {STACK_LABEL: self.stack, SERVICE_LABEL: self.service}
        try:
            async with EngineSocket(self.engine) as engine:
                found = await engine.addresses(labels, self.network)
        except Unreachable as error:
            raise OSError(error.message) from error
        if not found:
            raise OSError(f"no {self.service} of {self.stack} runs on this node")
        return [ResolveResult(hostname=host, host=found[0], port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is kept open."""
