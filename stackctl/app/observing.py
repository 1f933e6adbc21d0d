"""Observe every layer of a running stack, from inside it and through its published entry."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Self

from stackctl.app.project import Project
from stackctl.domain.balancer import RoutedService
from stackctl.domain.catalog import Catalog, passing
from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.observation import BalancerSeen, Observation, Traffic
from stackctl.engine.client import engine_address
from stackctl.engine.inside import Inside
from stackctl.errors import StackctlError, Unreachable
from stackctl.planning.topology import balancer_settings, is_registered, registered_as
from stackctl.probing.http import Way, traffic
from stackctl.probing.wire import balancer_from_json, catalog_from_json, traffic_from_json


class Observer:
    """Looks at one stack again and again; probes inside stay open between looks."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.engine = project.engine
        self._probes: dict[str, Inside] = {}
        self._stack = contextlib.AsyncExitStack()
        self._address = engine_address()
        self._routed = balancer_settings(project.stack).services
        self._services = tuple(dict.fromkeys(registered_as(s) for s in project.stack.services if is_registered(s)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def observe(self, *, with_traffic: bool = True) -> Observation:
        """Every layer now. A part that can't be asked is observed as such; only the engine's silence raises."""
        at = time.monotonic()
        engine = await asyncio.to_thread(self.engine.observe)
        balancers = running_balancers(engine)
        seen, (catalogs, lost, voteless) = await asyncio.gather(
            asyncio.gather(*(self._balancer(instance) for instance in balancers)), self._registry()
        )
        observation = Observation(at, engine, catalogs, lost, voteless, tuple(seen))
        return await self._with_traffic(observation, balancers) if with_traffic else observation

    async def ask(self, question: str, **words: Any) -> Any:
        """A question that any balancer's probe can answer; raises `Unreachable` where none can."""
        engine = await asyncio.to_thread(self.engine.observe)
        lost = Unreachable(
            "no-balancer", "no balancer runs, through which the stack could be asked", hint="stackctl up"
        )
        for instance in running_balancers(engine):
            try:
                return await (await self._probe(instance)).ask(question, **words)
            except StackctlError as error:
                lost = Unreachable("inside-unreachable", error.message, where=error.where, hint="stackctl status")
        raise lost

    async def maintain(self, registration: str, reason: str | None) -> None:
        """Set or lift the drain mark of a registration; raises `Unreachable` where the registry can't be told."""
        await self.ask("maintain", registration=registration, reason=reason)

    async def _probe(self, instance: Instance) -> Inside:
        probe = self._probes.get(instance.container)
        if probe is None or not probe.alive:
            probe = self._probes[instance.container] = await self._stack.enter_async_context(Inside(instance.container))
        return probe

    async def _balancer(self, instance: Instance) -> BalancerSeen:
        try:
            return balancer_from_json(instance.id, await (await self._probe(instance)).ask("balancer"))
        except StackctlError as error:
            return BalancerSeen(instance.id, unreachable=error.message)

    async def _registry(self) -> tuple[dict[str, Catalog], str, tuple[str, ...]]:
        try:
            answer = await self.ask("registry", services=self._services)
        except Unreachable as error:
            return {}, error.message, ()
        catalogs = [catalog_from_json(data) for data in answer["catalogs"]]
        return {catalog.service: catalog for catalog in catalogs}, "", tuple(answer["voteless"])

    async def _with_traffic(self, seen: Observation, balancers: tuple[Instance, ...]) -> Observation:
        """Requests through each balancer from inside, then through each published entry from here."""
        by_id = {instance.id: instance for instance in balancers}
        ways, entries = [], {}
        for balancer in seen.balancers:
            met: dict[str, Traffic] = {}
            if not balancer.unreachable:
                try:
                    probe = await self._probe(by_id[balancer.id])
                    token = await probe.ask("token")
                except StackctlError as error:
                    ways.append(replace(balancer, unreachable=error.message))
                    continue
                for service in self._routed:
                    way = Way("127.0.0.1", 80, service.route.host or "localhost", service.route.path)
                    met[service.name] = await self._asked(probe, way, _expected(seen, service))
                for port in by_id[balancer.id].published:
                    entry = f"{self._address}:{port}"
                    entries[f"entry {entry}"] = await asyncio.to_thread(self._through_entry, port, token, seen)
            ways.append(replace(balancer, traffic=met))
        return replace(seen, balancers=tuple(ways), entries=entries)

    async def _asked(self, probe: Inside, way: Way, expected: int) -> Traffic:
        try:
            answer = await probe.ask("traffic", way=asdict(way), expected=expected, timeout=60.0)
        except StackctlError as error:
            return Traffic(1, failed={"": 1}, reasons=(error.message,))
        return traffic_from_json(answer)

    def _through_entry(self, port: int, token: str, seen: Observation) -> dict[str, Traffic]:
        host = self._address
        return {
            service.name: traffic(
                Way(host, port, service.route.host or host, service.route.path),
                token,
                expected=_expected(seen, service),
            )
            for service in self._routed
        }


def running_balancers(engine: EngineState) -> tuple[Instance, ...]:
    """The balancers that can be asked."""
    return tuple(i for i in engine.instances if i.role == "balancer" and i.state == "running")


def _expected(seen: Observation, service: RoutedService) -> int:
    return len(passing(seen.catalogs.get(service.catalog_name, Catalog(service.catalog_name)).entries))
