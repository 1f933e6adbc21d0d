"""Carries out what `registration` decides: hears the engine and the registry, asks instances, writes registrations.

engine's events ──> inspect ──┐               ┌──> a task for each question
a list every few seconds ─────┼──> reduce ────┼──> a task for each id that is written
the registry, read as often ──┤               └──> a look at the balancers while somebody leaves
a look at the balancers ──────┘
"""

from __future__ import annotations

import asyncio
import time

from stackctl.agents.asking import answer
from stackctl.agents.balancers import Balancers
from stackctl.agents.leaving import Look, Looked, Release
from stackctl.agents.loop import Backoff, Health, Log, Metrics
from stackctl.agents.registration import State, problems, reduce
from stackctl.agents.registration_events import (
    Abandon,
    Answered,
    Ask,
    Deregister,
    Died,
    Event,
    Held,
    Listed,
    Mark,
    Observed,
    Probe,
    Register,
    RegistryLost,
    Signalled,
    Vanished,
)
from stackctl.agents.writing import Writing
from stackctl.domain.conventions import Scope
from stackctl.domain.observation import BalancerSeen
from stackctl.domain.wishes import STOP_LABEL
from stackctl.engine.container_json import EngineEvent
from stackctl.engine.events import EngineSocket, NotListening
from stackctl.errors import Unreachable
from stackctl.ports import Registry

# Seconds without anybody who listens on the engine's socket. An engine that is restarted while its containers live on
# makes a new socket, and a container goes on having the old one: it must be started again to get the new one.
DEAF = 3.0
LOOK_PACE = 0.1  # seconds between two looks at the balancers: a reload takes about as long


class Registrar:
    """Keeps the registry's agent in step with the engine for as long as `run` runs."""

    def __init__(
        self,
        scope: Scope,
        engine: EngineSocket,
        registry: Registry,
        log: Log,
        *,
        relist: float,
        balancers: Balancers | None = None,
        deaf: float = DEAF,
    ) -> None:
        self.metrics = Metrics(
            "stackctl_registrator",
            registered="Registrations that the registry holds for this agent.",
            events_total="Events that the engine told.",
            reconnects_total="Times that the engine's event stream was opened again.",
            relists_total="Times that every container was observed anew.",
            registry_errors_total="Times that the registry did not answer, or refused.",
        )
        self._state = State(scope)
        self._engine = engine
        self._registry = registry
        self._balancers = balancers or Balancers()
        self._log = log
        self._relist = relist
        self._deaf = deaf
        self._tasks = asyncio.TaskGroup()
        self._writing = Writing(
            registry,
            self._tasks,
            log,
            on_marked=self._hear,
            on_lost=self._doubt_registry,
            on_refused=lambda: self.metrics.add("registry_errors_total"),
        )
        self._stale: set[str] = set()  # containers to inspect
        self._inspections: dict[str, asyncio.Task[bool]] = {}
        self._questions: dict[Ask, asyncio.Task[None]] = {}
        self._list_due = asyncio.Event()
        self._registry_suspect = asyncio.Event()
        self._lost: dict[str, str] = {
            "engine": "not connected yet",
            "containers": "not listed yet",
            "registry": "not asked yet",
        }
        self._problems: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled, or until nobody listens on the engine's socket any more: then it is to be started again.

        Registrations stay: the end of an agent is not the end of its instances.
        """
        async with self._tasks:
            for work in (self._follow(), self._list(), self._read()):
                self._tasks.create_task(work)

    def health(self) -> Health:
        """Not well while the engine or the registry is out of reach; what is set aside is told."""
        reasons = tuple(f"{who}: {why}" for who, why in self._lost.items() if why)
        return Health(reasons, {"registered": self._state.registered, "set_aside": self._problems})

    # --- the engine --------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        backoff, listening = Backoff(), time.monotonic()
        while True:
            try:
                async with self._engine.events() as events:
                    self._found("engine")
                    self._list_due.set()
                    async for event in events:
                        backoff.reset()
                        self._heed(event)
                listening = time.monotonic()
                self._lose("engine", "it closed the event stream")
            except NotListening as error:
                self._lose("engine", error.message)
                if time.monotonic() - listening > self._deaf:
                    raise
            except Unreachable as error:
                listening = time.monotonic()
                self._lose("engine", error.message)
            await backoff.wait()
            self.metrics.add("reconnects_total")

    def _heed(self, event: EngineEvent) -> None:
        self.metrics.add("events_total")
        # These two are acted on before the engine has cleaned up, which takes it longer than everything else here.
        if event.action == "kill":
            self._hear(Signalled(event.container, event.signal, event.at))
        elif event.action == "die":
            self._hear(Died(event.container, event.at))
        self._inspect(event.container)

    async def _list(self) -> None:
        await self._list_due.wait()
        while True:
            self._list_due.clear()
            try:
                listed = await self._engine.containers(self._state.scope.network)
                inspections = [self._inspect(id) for id in {*listed, *self._state.known}]
                if all(await asyncio.gather(*inspections)):
                    self._found("containers")
                    self._hear(Listed())
                    self.metrics.add("relists_total")
            except Unreachable as error:
                self._lose("containers", error.message)
            await _wait(self._list_due, self._relist)

    def _inspect(self, id: str) -> asyncio.Task[bool]:
        self._stale.add(id)
        if id not in self._inspections:
            self._inspections[id] = self._tasks.create_task(self._observe(id))
        return self._inspections[id]

    async def _observe(self, id: str) -> bool:
        # One at a time for each container, and once more for what happened meanwhile: no old fact follows a new one.
        try:
            while id in self._stale:
                self._stale.discard(id)
                at = time.time()
                container = await self._engine.inspect(id)
                self._hear(Observed(container, at) if container else Vanished(id))
            return True
        except Unreachable as error:
            self._lose("containers", error.message)
            return False
        finally:
            del self._inspections[id]

    async def _look(self, until: float) -> None:
        await asyncio.sleep(LOOK_PACE)
        began = time.time()
        try:
            async with asyncio.timeout(until - began):
                seen = await self._balancers.look()
        except TimeoutError:
            seen = (BalancerSeen("a balancer", unreachable="it has not answered yet"),)
        self._hear(Looked(seen, began, time.time()))
        if not self._state.leavers.looking:
            self._balancers.leave()

    async def _end(self, release: Release) -> None:
        """It gets the signal that it is waiting for."""
        container = release.container
        try:
            signal = container.labels[STOP_LABEL]
            if signal == "image":
                signal = await self._engine.stop_signal(container.image)
            await self._engine.signal(container.id, signal)
        except Unreachable as error:  # the engine itself ends it when the grace is over
            self._lose("engine", error.message)
            return
        if release.unproven:
            self._log("released unproven", level="warning", id=container.name, signal=signal, reason=release.unproven)
        else:
            self._log("released", id=container.name, signal=signal)

    # --- the registry ------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        backoff = Backoff(last=0.25)
        while True:
            self._registry_suspect.clear()
            self._writing.reading()
            try:
                held = await self._registry.registrations()
                self._found("registry")
                self._hear(Held(held, self._writing.disturbed))
            except Unreachable as error:
                self._doubt_registry(error)
            if await _wait(self._registry_suspect, self._relist):
                await backoff.wait()
            else:
                backoff.reset()

    def _doubt_registry(self, error: Unreachable) -> None:
        self.metrics.add("registry_errors_total")
        self._lose("registry", error.message)
        self._hear(RegistryLost())
        self._registry_suspect.set()

    # --- what is decided ---------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        self._state, commands = reduce(self._state, event)
        for command in commands:
            match command:
                case Register(registration):
                    self._writing.write(registration.id, command)
                case Deregister(id) | Mark(id):
                    self._writing.write(id, command)
                case Probe(ask):
                    self._questions[ask] = self._tasks.create_task(self._ask(ask))
                case Abandon(ask):
                    self._questions.pop(ask).cancel()
                case Look(until):
                    self._tasks.create_task(self._look(until))
                case Release():
                    self._tasks.create_task(self._end(command))
        self.metrics.set("registered", self._state.registered)
        self._tell_problems()

    async def _ask(self, ask: Ask) -> None:
        await answer(ask.question)
        del self._questions[ask]
        self._hear(Answered(ask))

    def _tell_problems(self) -> None:
        before, self._problems = self._problems, problems(self._state)
        for name, why in self._problems.items() - before.items():
            self._log("set aside", level="warning", container=name, reason=why)

    def _lose(self, who: str, why: str) -> None:
        if not self._lost[who]:
            self._log("lost", level="warning", what=who, reason=why)
        self._lost[who] = why

    def _found(self, who: str) -> None:
        if self._lost[who]:
            self._log("found", what=who)
        self._lost[who] = ""


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came within that time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
