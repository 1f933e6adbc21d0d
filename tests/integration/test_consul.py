"""`Consul` against a real Consul."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.ports import free_port
from stackctl.domain.catalog import Registration, RegistryCheck, passing
from stackctl.domain.instance import Endpoint
from stackctl.errors import StackctlError, Unreachable
from stackctl.registry.consul import Consul
from tests.integration.lab import Lab, eventually, lab

pytestmark = pytest.mark.engine

# Consul asks itself: a check that passes, whatever runs beside it.
CHECK = RegistryCheck("http://127.0.0.1:8500/v1/status/leader", "", 1.0, 1.0, 5400.0)
WEB = Registration(
    id="web-1",
    service="web",
    endpoint=Endpoint("192.0.2.1", 80),
    instance="web-1",
    owner="test/host",
    tags=("blue", "a,b"),
    meta=(("region", "eu"), ("weight", "3")),
    check=CHECK,
)


@pytest.fixture(scope="module")
def consul() -> Iterator[Lab]:
    """A Consul server and a client agent."""
    with lab() as made:
        yield made


def test_there_and_back(consul: Lab) -> None:
    """A registration passes at once, is read back as it was written, and is gone when it is removed, twice too."""

    async def story(registry: Consul) -> None:
        await registry.register(WEB)
        assert await registry.registrations() == (WEB,)
        (entry,) = (await registry.catalog("web", consistent=True)).entries
        assert (entry.id, entry.endpoint, entry.weight, entry.tags) == ("web-1", WEB.endpoint, 3, WEB.tags)
        assert entry.owner == "test/host" and passing([entry])
        await registry.deregister("web-1")
        await registry.deregister("web-1")
        assert await registry.registrations() == ()
        assert (await registry.catalog("web", consistent=True)).entries == ()

    consul.consul(story)


def test_long_poll(consul: Lab) -> None:
    """A query with an index waits for news, brings them at once, and otherwise ends after its time."""

    async def story(registry: Consul) -> None:
        before = await registry.catalog("polled")
        assert before.index > 0
        waiting = asyncio.create_task(registry.catalog("polled", index=before.index, wait=30))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        began = time.monotonic()
        await registry.register(replace(WEB, id="polled-1", service="polled", instance="polled-1"))
        found = await waiting
        assert [entry.id for entry in found.entries] == ["polled-1"] and found.index > before.index
        assert time.monotonic() - began < 1
        began = time.monotonic()
        again = await registry.catalog("polled", index=found.index, wait=0.5)
        assert again == found and 0.4 < time.monotonic() - began < 2
        await registry.deregister("polled-1")

    consul.consul(story)


def test_maintenance(consul: Lab) -> None:
    """A mark of maintenance is seen as draining, survives that the registration is written anew, and is taken away."""

    async def story(registry: Consul) -> None:
        await registry.register(WEB)
        await registry.maintain("web-1", "drained by a test")
        await registry.register(replace(WEB, tags=("green",)))
        (entry,) = (await registry.catalog("web", consistent=True)).entries
        assert entry.draining and entry.passing and entry.tags == ("green",)
        await registry.maintain("web-1", None)
        (entry,) = (await registry.catalog("web", consistent=True)).entries
        assert not entry.draining
        await registry.deregister("web-1")
        with pytest.raises(StackctlError, match="refused"):
            await registry.maintain("web-1", "nobody is there")

    consul.consul(story)


def test_failing_check(consul: Lab) -> None:
    """An instance that does not answer Consul's own check stops passing; its node stays alive."""
    dead = replace(WEB, id="dead", instance="dead", service="dead", check=replace(CHECK, http="", tcp="127.0.0.1:1"))
    consul.consul(lambda registry: registry.register(dead))
    eventually("it does not pass", lambda: not consul.catalog("dead")["dead"].passing)
    assert consul.catalog("dead")["dead"].node_alive
    # Writing the same again must not make a dead instance look alive.
    consul.consul(lambda registry: registry.register(dead))
    assert not consul.catalog("dead")["dead"].passing
    consul.consul(lambda registry: registry.deregister("dead"))


def test_refused(consul: Lab) -> None:
    """A registration that Consul does not accept is an error of its own, not an unreachable registry."""
    bad = replace(WEB, meta=(("k" * 200, "v"),))
    with pytest.raises(StackctlError) as refused:
        consul.consul(lambda registry: registry.register(bad))
    assert refused.value.id == "registry-refused"


def test_nobody_there() -> None:
    """Where nothing listens, the error says so; there is no empty catalog."""

    async def story() -> None:
        async with Consul(f"http://127.0.0.1:{free_port()}") as registry:
            for ask in (registry.catalog("web"), registry.registrations(), registry.deregister("a")):
                with pytest.raises(Unreachable) as lost:
                    await ask
                assert lost.value.id == "registry-unreachable" and lost.value.where and lost.value.hint

    asyncio.run(story())


def test_no_leader() -> None:
    """An agent whose only server is gone has no trustworthy answer, and says so."""
    with lab() as alone:
        alone.engine.containers.get(f"{alone.name}-consul-1").remove(force=True, v=True)
        with pytest.raises(Unreachable):
            alone.catalog("web")
