"""A fixed list behind the port: names looked up once, as nginx would do it, and never watched."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from stackctl.domain.catalog import Catalog, CatalogEntry, Names, Registration, Values
from stackctl.domain.instance import Endpoint
from stackctl.errors import REGISTRY_FIXED, StackctlError, Unreachable

LOOKUP = 2.0  # seconds for a name


class Static:
    """Instances as `container:port` by catalog name. What is not in the list stays unknown; nothing can be written."""

    def __init__(self, lists: Mapping[str, tuple[str, ...]]) -> None:
        self._lists = lists
        self._known: dict[str, Catalog] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def catalog(self, service: str, *, index: int = 0, wait: float = 0.0, consistent: bool = False) -> Catalog:
        """The list; raises `Unreachable` while one of its names is unknown. A second question for news has none."""
        del consistent
        if service not in self._known:
            entries = await asyncio.gather(*(_entry(service, member) for member in self._lists.get(service, ())))
            digest = hashlib.sha256(repr(entries).encode()).hexdigest()
            self._known[service] = Catalog(service, tuple(entries), index=int(digest[:8], 16) + 1)
        if index == self._known[service].index:
            await asyncio.sleep(wait)
        return self._known[service]

    async def names(self, *, index: int = 0, wait: float = 0.0) -> Names:
        """The names of the lists."""
        if index:
            await asyncio.sleep(wait)
        return Names(tuple(sorted(self._lists)), 1)

    async def values(self, prefix: str, *, index: int = 0, wait: float = 0.0) -> Values:
        """A list has no keys."""
        del prefix
        if index:
            await asyncio.sleep(wait)
        return Values((), 1)

    async def registrations(self) -> tuple[Registration, ...]:
        """Nobody registered anything."""
        return ()

    async def register(self, registration: Registration) -> None:
        """Always refused."""
        raise _fixed(registration.id)

    async def deregister(self, id: str) -> None:
        """Always refused."""
        raise _fixed(id)

    async def maintain(self, id: str, reason: str | None) -> None:
        """Always refused."""
        del reason
        raise _fixed(id)


async def _entry(service: str, member: str) -> CatalogEntry:
    name, _, port = member.rpartition(":")
    try:
        async with asyncio.timeout(LOOKUP):
            found = await asyncio.get_running_loop().getaddrinfo(name, int(port), family=socket.AF_INET)
    except (OSError, TimeoutError) as error:
        raise Unreachable("registry-unreachable", f"the list names {name}, which nobody knows yet: {error}") from error
    return CatalogEntry(name, service, Endpoint(str(found[0][4][0]), int(port)), registration=name)


def _fixed(id: str) -> StackctlError:
    return StackctlError(
        REGISTRY_FIXED,
        f"the list of instances is fixed: {id} can't be written to it, taken out of it or drained",
        hint="change `replicas` in the spec and run `stackctl up`, or use a registry",
    )
