"""Who of a lab's nodes has an address, watched while something is done to them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from itertools import pairwise
from types import TracebackType
from typing import Self

import docker.errors
from docker.models.containers import Container

from stackctl.agents.keeper import ROUTES, local_addresses

PACE = 0.02


class Holding:
    """Asks every node for its own addresses, as fast as its container can be asked. The nodes are told as the kernel of
    each has it, whatever keepalived thinks."""

    def __init__(self, nodes: Sequence[Container], address: str) -> None:
        self._nodes = nodes
        self._address = address
        self._reading: asyncio.Task[None] | None = None
        self.seen: list[tuple[float, tuple[str, ...]]] = []

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    @property
    def several(self) -> float:
        """The longest time in which more than one had it, in seconds."""
        longest = began = 0.0
        for (at, names), (until, _) in pairwise(self.seen):
            began = (began or at) if len(names) > 1 else 0.0
            longest = max(longest, until - began) if began else longest
        return longest

    async def holders(self) -> tuple[str, ...]:
        """The names of those that have it now."""
        has = await asyncio.gather(*(asyncio.to_thread(self._has, node) for node in self._nodes))
        return tuple(str(node.name) for node, found in zip(self._nodes, has, strict=True) if found)

    async def _read(self) -> None:
        while True:
            at = time.monotonic()
            self.seen.append((at, await self.holders()))
            await asyncio.sleep(PACE)

    def _has(self, node: Container) -> bool:
        try:
            said = node.exec_run(["cat", str(ROUTES)]).output
        except docker.errors.APIError:
            return False  # a dead machine has nothing
        return self._address in set(local_addresses(said.decode()))
