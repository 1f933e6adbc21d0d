"""The test double behaves like a registry."""

from __future__ import annotations

import asyncio
import time

import pytest

from stackctl.domain.catalog import Registration, passing
from stackctl.domain.instance import Endpoint
from stackctl.errors import StackctlError, Unreachable
from stackctl.ports import Registry
from stackctl.registry.memory import Memory

WEB = Registration("web-1", "web", Endpoint("192.0.2.1", 80), "web-1", "shop/host", meta=(("weight", "2"),))


def test_there_and_back() -> None:
    """What is registered is in the catalog and passes, until it is removed; both may be done twice."""

    async def story(registry: Registry) -> None:
        for _ in range(2):
            await registry.register(WEB)
        assert await registry.registrations() == (WEB,)
        (entry,) = (await registry.catalog("web")).entries
        assert (entry.id, entry.weight, entry.owner) == ("web-1", 2, "shop/host") and passing([entry])
        assert (await registry.catalog("other")).entries == ()
        for _ in range(2):
            await registry.deregister("web-1")
        assert (await registry.catalog("web", consistent=True)).entries == ()

    asyncio.run(story(Memory()))


def test_long_poll() -> None:
    """A query with an index returns with news, or after its time."""

    async def story() -> None:
        registry = Memory()
        index = (await registry.catalog("web")).index
        waiting = asyncio.create_task(registry.catalog("web", index=index, wait=30))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await registry.register(WEB)
        found = await waiting
        assert found.entries and found.index > index
        began = time.monotonic()
        assert await registry.catalog("web", index=found.index, wait=0.1) == found
        assert time.monotonic() - began >= 0.1

    asyncio.run(story())


def test_maintenance_and_health() -> None:
    """Marks and bad health survive that the registration is written again, and end when it is removed."""

    async def story() -> None:
        registry = Memory()
        await registry.register(WEB)
        await registry.maintain("web-1", "drained")
        await registry.report("web-1", passing=False)
        await registry.register(WEB)
        (entry,) = (await registry.catalog("web")).entries
        assert entry.draining and not entry.passing
        await registry.maintain("web-1", None)
        assert not (await registry.catalog("web")).entries[0].draining
        await registry.deregister("web-1")
        await registry.register(WEB)
        assert (await registry.catalog("web")).entries[0].passing
        with pytest.raises(StackctlError):
            await registry.maintain("nobody", "x")

    asyncio.run(story())


def test_unreachable() -> None:
    """While it fails nothing is answered, and a query that waits is told so."""

    async def story() -> None:
        registry = Memory()
        index = (await registry.catalog("web")).index
        waiting = asyncio.create_task(registry.catalog("web", index=index, wait=30))
        await asyncio.sleep(0.05)
        await registry.fail()
        for ask in (waiting, registry.catalog("web"), registry.registrations(), registry.register(WEB)):
            with pytest.raises(Unreachable):
                await ask
        await registry.fail("")
        assert (await registry.catalog("web")).entries == ()

    asyncio.run(story())
