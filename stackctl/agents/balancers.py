"""The balancers of a stack in a Swarm, as an agent on any node asks them: through their doors, by their common name."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

from stackctl.agents.door import PORT, TOKEN, enter
from stackctl.domain.observation import BalancerSeen
from stackctl.probing.wire import balancer_from_json

PATIENCE = 5.0  # seconds for an answer; the first one is that of a probe that has to start
QUESTION = json.dumps({"ask": "balancer"}).encode() + b"\n"


class Balancers:
    """Every balancer behind a name; without a name there is none. Between two looks their probes are kept open."""

    def __init__(self, name: str = "", token: Path = TOKEN, *, port: int = PORT) -> None:
        self._name = name
        self._token = token
        self._port = port
        self._open: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def look(self) -> tuple[BalancerSeen, ...]:
        """What each of them runs; one that does not say is told as `unreachable`."""
        return tuple(await asyncio.gather(*map(self._seen, await self._addresses())))

    def leave(self) -> None:
        """Nothing more is asked for now."""
        for address in tuple(self._open):
            self._close(address)

    async def _addresses(self) -> list[str]:
        """Where they are; nothing where the name is not known (any more), or nobody answers who would know it."""
        if not self._name:
            return []
        try:
            async with asyncio.timeout(PATIENCE):
                found = await asyncio.get_running_loop().getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError):
            return []
        return sorted({str(address) for *_, (address, *_) in found})

    async def _seen(self, address: str) -> BalancerSeen:
        try:
            async with asyncio.timeout(PATIENCE):
                if address not in self._open:
                    self._open[address] = await enter(address, self._token, port=self._port)
                reader, writer = self._open[address]
                writer.write(QUESTION)
                said = json.loads(await reader.readline())
        except (OSError, TimeoutError, ValueError) as error:
            self._close(address)  # a late answer would be taken for the next one's
            return BalancerSeen(address, unreachable=repr(error))
        if "error" in said:
            return BalancerSeen(address, unreachable=said["error"])
        return balancer_from_json(address, said["answer"])

    def _close(self, address: str) -> None:
        if kept := self._open.pop(address, None):
            kept[1].close()
