"""What the registrator does at once, and what waits for what: with an engine and a registry in memory."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from stackctl.agents.balancers import Balancers
from stackctl.agents.loop import Log
from stackctl.agents.registrar import Registrar
from stackctl.domain.balancer import Backend
from stackctl.domain.container import Container
from stackctl.domain.conventions import Scope
from stackctl.domain.instance import Endpoint
from stackctl.domain.observation import BalancerSeen
from stackctl.engine.container_json import EngineEvent
from stackctl.engine.events import EngineSocket
from stackctl.errors import StackctlError, Unreachable
from stackctl.registry.memory import Memory

SCOPE = Scope("shop", "net", "shop/host-1")


class Engine:
    """An engine of a few values; `slow` containers are inspected when their event is set."""

    def __init__(self) -> None:
        self.known: dict[str, Container] = {}
        self.slow: dict[str, asyncio.Event] = {}
        self.stream: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        self.calls: list[str] = []
        self.signals: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        self.calls.append("events")
        yield self.told()

    async def told(self) -> AsyncIterator[EngineEvent]:
        while event := await self.stream.get():
            yield event

    async def containers(self, network: str) -> tuple[str, ...]:
        self.calls.append("containers")
        return tuple(id for id, container in self.known.items() if network in container.networks)

    async def inspect(self, id: str) -> Container | None:
        found = self.known.get(id)
        if id in self.slow:
            await self.slow[id].wait()
        return found

    async def stop_signal(self, image: str) -> str:
        return f"what {image} says"

    async def signal(self, id: str, signal: str) -> None:
        self.signals.put_nowait((id, signal))


class Site:
    """A registrar at work, with all that it works on."""

    def __init__(self, relist: float = 0.05) -> None:
        self.engine, self.registry, self.output = Engine(), Memory(), io.StringIO()
        log = Log("registrator", self.output)
        engine = cast(EngineSocket, self.engine)
        self.balancers = Balancers()
        self.registrar = Registrar(SCOPE, engine, self.registry, log, relist=relist, balancers=self.balancers)

    async def instance(self, number: int, *, answers: bool = True, told: bool = True) -> Container:
        """A container whose port on 127.0.0.1 answers, or accepts and is silent; its start is told, or not."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if answers:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        labels = {
            "stackctl.stack": "shop",
            "stackctl.register": "registrator",
            "stackctl.port": str(server.sockets[0].getsockname()[1]),
            "stackctl.check": json.dumps({"kind": "http"}),
        }
        made = Container(
            f"c{number}", f"web-{number}", "web", "running", started=1.0, labels=labels, networks={"net": "127.0.0.1"}
        )
        self.engine.known[made.id] = made
        if told:
            self.tell("start", made.id)
        return made

    def tell(self, action: str, id: str, signal: int = 0) -> None:
        """An event of the engine."""
        self.engine.stream.put_nowait(EngineEvent(action, id, time.time(), signal))

    async def registered(self, *expected: str) -> None:
        """Wait until exactly these are registered."""
        async with asyncio.timeout(5):
            while {held.id for held in self.registry._held.values()} != set(expected):
                await asyncio.sleep(0.005)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of an event."""
        return [line for line in map(json.loads, self.output.getvalue().splitlines()) if line["event"] == event]


def play(story: Callable[[Site], Awaitable[None]], relist: float = 0.05) -> None:
    """A story with a registrar that runs beside it."""

    async def played() -> None:
        site = Site(relist)
        running = asyncio.create_task(site.registrar.run())
        try:
            await story(site)
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(played())


def test_subscribed_before_listed() -> None:
    """Nothing is listed before the events are subscribed to, and everything again whenever they are anew."""

    async def story(site: Site) -> None:
        await site.instance(1)
        await site.registered("web-1")
        assert site.engine.calls == ["events", "containers"]
        await site.instance(2, told=False)
        site.engine.stream.put_nowait(None)
        await site.registered("web-1", "web-2")
        assert site.engine.calls == ["events", "containers", "events", "containers"]

    play(story, relist=60)


def test_silent_instance_delays_nobody() -> None:
    """While one instance is asked and does not answer, others come and go; when it goes, it is asked no more."""

    async def story(site: Site) -> None:
        await site.instance(1)
        await site.instance(2, answers=False)
        await site.registered("web-1")
        site.tell("die", "c1")
        await site.registered()
        site.tell("kill", "c2", signal=15)
        async with asyncio.timeout(5):
            while site.registrar._questions:
                await asyncio.sleep(0.005)

    play(story, relist=60)


def test_death_does_not_wait_for_the_engine() -> None:
    """A dead instance is out although the engine takes its time to say more, and its stale answer revives nobody."""

    async def story(site: Site) -> None:
        await site.instance(1)
        await site.registered("web-1")
        gate = site.engine.slow["c1"] = asyncio.Event()
        site.tell("die", "c1")
        await site.registered()
        gate.set()
        await asyncio.sleep(0.05)
        await site.registered()
        site.engine.known["c1"] = replace(site.engine.known["c1"], started=time.time())
        site.tell("start", "c1")
        await site.registered("web-1")

    play(story, relist=60)


def test_relist_repairs() -> None:
    """What no event told is found by looking: a new instance, a lost one, and what the registry has lost."""

    async def story(site: Site) -> None:
        await site.instance(1, told=False)
        await site.registered("web-1")
        await site.instance(2, told=False)
        await site.registered("web-1", "web-2")
        del site.engine.known["c1"]
        await site.registered("web-2")
        await site.registry.deregister("web-2")
        await site.registered("web-2")

    play(story)


def test_registry_away() -> None:
    """While the registry is away that is told; when it is back, it is given what runs then."""

    async def story(site: Site) -> None:
        await site.instance(1)
        await site.registered("web-1")
        await site.registry.fail("on fire")
        site.tell("die", "c1")
        await site.instance(2)
        async with asyncio.timeout(5):
            while not any("on fire" in reason for reason in site.registrar.health().reasons):
                await asyncio.sleep(0.005)
        await site.registry.fail("")
        await site.registered("web-2")
        async with asyncio.timeout(5):
            while site.registrar.health().reasons:
                await asyncio.sleep(0.005)
        assert site.logged("lost") and site.logged("found")

    play(story)


def test_refused_registration() -> None:
    """A registration that the registry refuses is told, tried again, and harms no other."""

    async def story(site: Site) -> None:
        accept, refusals = site.registry.register, 0

        async def register(registration: Any) -> None:
            nonlocal refusals
            if registration.id == "web-1" and refusals < 2:
                refusals += 1
                raise StackctlError("registry-refused", "no")
            await accept(registration)

        site.registry.register = register  # type: ignore[method-assign]
        await site.instance(1)
        await site.instance(2)
        await site.registered("web-2")
        await site.registered("web-1", "web-2")
        assert [line["id"] for line in site.logged("refused")] == ["web-1", "web-1"]

    play(story)


def test_engine_away() -> None:
    """Without an engine nothing is taken for gone."""

    async def story(site: Site) -> None:
        await site.instance(1)
        await site.registered("web-1")

        async def fail(network: str) -> Any:
            raise Unreachable("engine-unreachable", "no engine")

        works = site.engine.containers
        site.engine.containers = fail  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            while not site.registrar.health().reasons:
                await asyncio.sleep(0.005)
        await site.registered("web-1")
        site.engine.containers = works  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            while site.registrar.health().reasons:
                await asyncio.sleep(0.005)

    play(story)


def test_socket_without_a_listener(tmp_path: Path) -> None:
    """Where nobody listens any more it ends, to be started again with the socket of then; not where a socket lacks."""
    path = tmp_path / "docker.sock"

    async def lasts(seconds: float) -> bool:
        async with EngineSocket(str(path)) as engine:
            log = Log("registrator", io.StringIO())
            running = asyncio.create_task(Registrar(SCOPE, engine, Memory(), log, relist=0.05, deaf=0.2).run())
            done, _ = await asyncio.wait({running}, timeout=seconds)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return not done

    assert asyncio.run(lasts(0.5))
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    assert not asyncio.run(lasts(5.0))


def test_set_aside_is_told_once() -> None:
    """A container that can't be registered is named in the log once, and in the health for as long as it is there."""

    async def story(site: Site) -> None:
        made = await site.instance(1)
        site.engine.known["c1"] = replace(made, env={"SERVICE_NAME": "a;b"})
        await site.instance(2)
        await site.registered("web-2")
        await asyncio.sleep(0.2)
        assert len(site.logged("set aside")) == 1
        assert "web-1" in cast(dict[str, str], site.registrar.health().details["set_aside"])

    play(story)


def test_told_when_no_balancer_has_it() -> None:
    """Who was warned is looked for in the balancers until none has it, and gets its image's own signal then, once."""

    async def story(site: Site) -> None:
        served = asyncio.Event()
        looks = 0

        async def look() -> tuple[BalancerSeen, ...]:
            nonlocal looks
            looks += 1
            backend = Backend("web-1", Endpoint("127.0.0.1", 80))
            return (BalancerSeen("lb", backends={} if served.is_set() else {"web": (backend,)}),)

        site.balancers.look = look  # type: ignore[method-assign]
        made = await site.instance(1)
        site.engine.known["c1"] = replace(made, labels={**made.labels, "stackctl.stop": "image"}, stop_signal=23)
        await site.registered("web-1")
        for _ in range(2):  # events may be told twice
            site.tell("kill", "c1", signal=23)
        async with asyncio.timeout(5):
            while looks < 3:
                await asyncio.sleep(0.005)
        assert site.engine.signals.empty()
        (entry,) = (await site.registry.catalog("web")).entries
        assert (entry.draining, entry.drain_reason) == (True, "it is about to end")
        served.set()
        async with asyncio.timeout(5):
            assert await site.engine.signals.get() == ("c1", "what web says")
        await site.registered()
        (line,) = site.logged("released")
        assert line["signal"] == "what web says"
        assert site.engine.signals.empty()

    play(story, relist=60)


def test_silent_balancer_does_not_hold_it() -> None:
    """A balancer that never answers is waited for until the instance's share of its grace is over; that is told."""

    async def story(site: Site) -> None:
        async def look() -> tuple[BalancerSeen, ...]:
            await asyncio.Event().wait()
            raise AssertionError

        site.balancers.look = look  # type: ignore[method-assign]
        made = await site.instance(1)
        labels = {**made.labels, "stackctl.stop": "image"}
        site.engine.known["c1"] = replace(made, labels=labels, stop_signal=23, stop_timeout=2)
        await site.registered("web-1")
        site.tell("kill", "c1", signal=23)
        async with asyncio.timeout(10):
            assert await site.engine.signals.get() == ("c1", "what web says")
        (line,) = site.logged("released unproven")
        assert "has not answered yet" in line["reason"]

    play(story, relist=60)
