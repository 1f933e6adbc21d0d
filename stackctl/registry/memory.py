"""The test double: a registry in memory that behaves like the real ones, long polls included."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stackctl.domain.catalog import WEIGHT_META, Catalog, CatalogEntry, Names, Registration, Values
from stackctl.errors import StackctlError, Unreachable


class Memory:
    """A registry that lives as long as the test; `fail` and `report` do what happens to real ones."""

    def __init__(self) -> None:
        self._held: dict[str, Registration] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._keys: dict[str, str] = {}
        self._index = 1
        self._changed = asyncio.Condition()
        self._reason = ""

    async def catalog(self, service: str, *, index: int = 0, wait: float = 0.0, consistent: bool = False) -> Catalog:
        """What is registered under a service's name; no answer is stale here."""
        del consistent
        self._answer()
        if index and wait:
            await self._news(index, wait)
        entries = tuple(self._entry(held) for held in self._held.values() if held.service == service)
        return Catalog(service, entries, index=self._index)

    async def names(self, *, index: int = 0, wait: float = 0.0) -> Names:
        """Every name under which something is registered."""
        self._answer()
        if index and wait:
            await self._news(index, wait)
        return Names(tuple(sorted({held.service for held in self._held.values()})), self._index)

    async def values(self, prefix: str, *, index: int = 0, wait: float = 0.0) -> Values:
        """What `put` wrote."""
        self._answer()
        if index and wait:
            await self._news(index, wait)
        items = tuple(sorted((key, value) for key, value in self._keys.items() if key.startswith(prefix)))
        return Values(items, self._index)

    async def put(self, key: str, value: str) -> None:
        """Write a key."""
        self._keys[key] = value
        await self._wake()

    async def registrations(self) -> tuple[Registration, ...]:
        """Everything that was registered."""
        self._answer()
        return tuple(self._held[id] for id in sorted(self._held))

    async def register(self, registration: Registration) -> None:
        """Write a registration; maintenance and health of one that is there already stay."""
        self._answer()
        self._held[registration.id] = registration
        self._facts.setdefault(registration.id, {})
        await self._wake()

    async def deregister(self, id: str) -> None:
        """Remove a registration and all that was said about it."""
        self._answer()
        self._facts.pop(id, None)
        if self._held.pop(id, None):
            await self._wake()

    async def maintain(self, id: str, reason: str | None) -> None:
        """Put a registration into maintenance, or take it out."""
        self._answer()
        if id not in self._held:
            raise StackctlError("registry-refused", f"no registration {id!r}")
        await self.report(id, draining=reason is not None, drain_reason=reason or "")

    async def report(self, id: str, **facts: Any) -> None:
        """Say how the registry's own checks see a registration: `passing`, `node_alive`, `draining`."""
        self._facts[id] = {**self._facts[id], **facts}
        await self._wake()

    async def fail(self, reason: str = "no leader") -> None:
        """Answer nothing until `fail("")`."""
        self._reason = reason
        await self._wake()

    async def _news(self, index: int, wait: float) -> None:
        try:
            async with asyncio.timeout(wait), self._changed:
                await self._changed.wait_for(lambda: self._index != index)
        except TimeoutError:
            pass
        self._answer()

    def _entry(self, held: Registration) -> CatalogEntry:
        entry = CatalogEntry(held.instance or held.id, held.service, held.endpoint, held.id, held.owner)
        weight = int(dict(held.meta).get(WEIGHT_META, "1"))
        return replace(entry, weight=weight, tags=held.tags, meta=held.meta, **self._facts[held.id])

    def _answer(self) -> None:
        if self._reason:
            raise Unreachable("registry-unreachable", f"the registry does not answer: {self._reason}")

    async def _wake(self) -> None:
        self._index += 1
        async with self._changed:
            self._changed.notify_all()
