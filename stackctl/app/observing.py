"""Observe every layer of a running stack, from inside it and through its published entry."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from stackctl.app.project import Project
from stackctl.app.through import Through
from stackctl.domain.catalog import Catalog, CatalogEntry, SetAside
from stackctl.domain.instance import Endpoint, EngineState, Instance
from stackctl.domain.observation import BalancerSeen, KeeperSeen, Observation, Resolved, Traffic
from stackctl.errors import Leaderless, NotConverged, StackctlError, Unreachable
from stackctl.planning.entry import routed_services
from stackctl.planning.expected import expectation
from stackctl.planning.registries import resolver
from stackctl.planning.vip import whose
from stackctl.ports import Probe
from stackctl.probing.wire import balancer_from_json, catalog_from_json
from stackctl.verifying.identity import identified

PROBED = ("balancer", "registrator")  # the parts with a probe in their image that knows the registry


class Observer:
    """Looks at one stack again and again; probes inside stay open between looks."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.engine = project.engine
        self._probes: dict[str, Probe] = {}
        self._stack = contextlib.AsyncExitStack()
        self._routed = routed_services(project.stack)
        expected = expectation(project.stack).services
        self._services = tuple(dict.fromkeys(s.catalog_name for s in expected if s.registered))
        self._named = tuple(dict.fromkeys(s.catalog_name for s in expected if s.resolved))
        self._resolver = resolver(project.stack)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def observe(self, *, with_traffic: bool = True) -> Observation:
        """Every layer now. A part that can't be asked is observed as such; only the engine's silence raises."""
        at = time.monotonic()
        engine = await self._located(await asyncio.to_thread(self.engine.observe))
        balancers = running_balancers(engine)
        seen, (catalogs, lost, weakened) = await asyncio.gather(
            asyncio.gather(*(self._balancer(instance) for instance in balancers)), self._registry(engine)
        )
        observation = identified(Observation(at, engine, catalogs, lost, weakened, tuple(seen)))
        registered = {entry.id for catalog in catalogs.values() for entry in catalog.entries}
        if any(i.role == "service" and i.serving and i.id not in registered for i in engine.instances):
            observation = replace(observation, set_aside=await self.set_aside(engine))
        if not with_traffic:
            return observation
        observation = replace(await self._with_names(observation), keepers=await self.keepers(engine))
        return await self._with_traffic(observation, balancers)

    async def _located(self, engine: EngineState) -> EngineState:
        """With the ports that a Swarm's managers have forgotten, as each node's own engine knows them."""
        ports = {service.name: service.port for service in self.project.stack.services}
        lost = [i for i in engine.instances if i.service in ports and i.serving and not i.endpoint]
        if self.project.stack.engine != "swarm" or not lost:
            return engine
        found = await asyncio.gather(*(self._bound(engine, instance) for instance in lost))
        bound = {instance.id: seen for instance, seen in zip(lost, found, strict=True)}
        where: dict[str, Instance] = {}
        for instance in lost:
            if port := bound[instance.id].get(ports[instance.service]):
                address = await asyncio.to_thread(self.engine.address, instance)
                where[instance.id] = replace(instance, endpoint=Endpoint(address, port), ports=bound[instance.id])
        return replace(engine, instances=tuple(where.get(instance.id, instance) for instance in engine.instances))

    async def _bound(self, engine: EngineState, instance: Instance) -> Mapping[int, int]:
        """The ports of an instance on its node, by the instance's own; nothing where nobody there can be asked."""
        beside = (i for i in engine.instances if i.role == "registrator" and i.node == instance.node)
        for part in (part for part in beside if part.state == "running"):
            with contextlib.suppress(StackctlError):
                answer = await (await self._probe(part)).ask("published", container=instance.container)
                return {int(own): int(port) for own, port in answer.items()}
        return {}

    async def set_aside(self, engine: EngineState) -> Mapping[str, str]:
        """Why the registrators do not register instances that ask to be, by instance; nothing where they are silent."""
        found: dict[str, str] = {}
        for part in (i for i in engine.instances if i.role == "registrator" and i.state == "running"):
            with contextlib.suppress(StackctlError):
                found |= (await self.health(part)).get("set_aside", {})
        return found

    async def health(self, part: Instance) -> Mapping[str, Any]:
        """What an agent says of itself, asked beside it; raises `StackctlError` where nobody can be asked there."""
        answer: Mapping[str, Any] = await (await self._probe(part)).ask("health", host="127.0.0.1")
        return answer

    async def keepers(self, engine: EngineState) -> tuple[KeeperSeen, ...]:
        """What each machine shows of the virtual address; nothing where there is none."""
        parts = [instance for instance in engine.instances if instance.role == "vip"]
        return tuple(await asyncio.gather(*map(self._keeper, parts)))

    async def observe_everything(self) -> Mapping[str, Catalog]:
        """All that the registry has, by catalog name, whether the spec knows it or not; raises `Unreachable`."""
        engine = await asyncio.to_thread(self.engine.observe)
        answer = await self.ask("registry", services=await self.ask("names"))
        found = {data["service"]: catalog_from_json(data) for data in answer["catalogs"]}
        return identified(Observation(0.0, engine, found)).catalogs

    async def ask(self, question: str, *, node: str = "", engine: EngineState | None = None, **words: Any) -> Any:
        """A question that any balancer's probe can answer; raises `Unreachable` where none can.

        With `node` it is asked there, of the registrator's probe: what an agent of the registry holds is changed by
        that agent only, and a registrator knows which one is its own node's. Where none runs there, a balancer's is
        asked: a registry without agents does not mind. `engine` is what was just observed, for who asks much at once.
        """
        seen = await asyncio.to_thread(self.engine.observe) if engine is None else engine
        lost = Unreachable(
            "no-balancer", "no balancer runs, through which the stack could be asked", hint="stackctl up"
        )
        for instance in probed(seen, node) or running_balancers(seen):
            try:
                return await (await self._probe(instance)).ask(question, **words)
            except (NotConverged, Leaderless):
                raise  # an answer, though not the one that was hoped for; an election is no fault of the inside
            except StackctlError as error:
                lost = Unreachable("inside-unreachable", error.message, where=error.where, hint="stackctl status")
        raise lost

    async def tell(self, id: str, settings: Mapping[str, Any]) -> None:
        """Give a running balancer its settings; raises `StackctlError` where its agent does not take them."""
        engine = await asyncio.to_thread(self.engine.observe)
        for instance in (instance for instance in running_balancers(engine) if instance.id == id):
            await (await self._probe(instance)).ask("tell", settings=settings)

    async def maintain(self, entry: CatalogEntry, reason: str | None, engine: EngineState | None = None) -> None:
        """Set or lift the drain mark of a registration; raises `Unreachable` where the registry can't be told."""
        await self.ask("maintain", node=entry.holder, engine=engine, registration=entry.registration, reason=reason)

    async def deregister(self, entry: CatalogEntry | SetAside) -> None:
        """Remove a registration; raises `Unreachable` where the registry can't be told."""
        await self.ask("deregister", node=entry.holder, registration=entry.registration)

    async def _probe(self, instance: Instance) -> Probe:
        probe = self._probes.get(instance.container)
        if probe is None or not probe.alive:
            probe = await self._stack.enter_async_context(self.engine.inside(instance))
            self._probes[instance.container] = probe
        return probe

    async def _balancer(self, instance: Instance) -> BalancerSeen:
        try:
            return balancer_from_json(instance.id, await (await self._probe(instance)).ask("balancer"))
        except StackctlError as error:
            return BalancerSeen(instance.id, unreachable=error.message)

    async def _keeper(self, instance: Instance) -> KeeperSeen:
        if instance.state != "running":
            return KeeperSeen(instance.id, instance.node, unreachable=f"it is {instance.condition}")
        entry = self.project.stack.balancer
        try:
            probe = await self._probe(instance)
            own = whose(self.project.stack)
            answer = await probe.ask("keeper", address=entry.virtual_address, port=entry.http, whose=own)
        except StackctlError as error:
            return KeeperSeen(instance.id, instance.node, unreachable=error.message)
        return KeeperSeen(instance.id, instance.node, answer["holds"], answer["fit"])

    async def _registry(self, engine: EngineState) -> tuple[dict[str, Catalog], str, tuple[str, ...]]:
        try:
            answer = await self.ask("registry", engine=engine, services=self._services)
        except Unreachable as error:
            return {}, error.message, ()
        catalogs = [catalog_from_json(data) for data in answer["catalogs"]]
        return {catalog.service: catalog for catalog in catalogs}, "", tuple(answer["weakened"])

    async def _with_names(self, seen: Observation) -> Observation:
        """What DNS says of the services that are found by it, on every machine that can be asked."""
        if not self._resolver or not self._named:
            return seen
        nodes = [node for node in seen.engine.nodes if node not in seen.engine.unreachable] or [""]
        said = await asyncio.gather(*(self._resolved(seen.engine, node) for node in nodes))
        return replace(seen, resolved={name: tuple(answers[name] for answers in said) for name in self._named})

    async def _resolved(self, engine: EngineState, node: str) -> Mapping[str, Resolved]:
        if node and not probed(engine, node):  # another node's answer would prove nothing here
            return dict.fromkeys(self._named, Resolved(lost="nobody can be asked there", node=node))
        try:
            answers = await self.ask("dns", node=node, engine=engine, services=self._named, server=self._resolver)
        except Unreachable as error:
            return dict.fromkeys(self._named, Resolved(lost=error.message, node=node))
        return {
            name: Resolved(tuple(found["addresses"]), tuple(found["endpoints"]), node=node)
            for name, found in answers.items()
        }

    async def _with_traffic(self, seen: Observation, balancers: tuple[Instance, ...]) -> Observation:
        """Requests through each balancer from inside, then through each published entry from here."""
        by_id = {instance.id: instance for instance in balancers}
        ways: list[BalancerSeen] = []
        entries: dict[str, dict[str, Traffic]] = {}
        for balancer in seen.balancers:
            if balancer.unreachable:
                ways.append(balancer)
                continue
            try:
                probe = await self._probe(by_id[balancer.id])
                through = Through(probe, str(await probe.ask("token")), seen, self._routed)
            except StackctlError as error:
                ways.append(replace(balancer, unreachable=error.message))
                continue
            met = {service.name: await through.inside(service) for service in self._routed}
            ways.append(replace(balancer, traffic=met))
            for address in self._addresses(by_id[balancer.id], seen):
                entries |= await through.entries(by_id[balancer.id], address)
        return replace(seen, balancers=tuple(ways), entries=entries)

    def _addresses(self, balancer: Instance, seen: Observation) -> Iterator[str]:
        """Where a balancer is reached from here; also at the virtual address, where it is the one that has it."""
        yield self.engine.address(balancer)
        if balancer.node == seen.holder and seen.keepers:
            yield self.project.stack.balancer.virtual_address


def running_balancers(engine: EngineState) -> tuple[Instance, ...]:
    """The balancers that can be asked."""
    return tuple(i for i in engine.instances if i.role == "balancer" and i.state == "running")


def probed(engine: EngineState, node: str) -> tuple[Instance, ...]:
    """The parts on a node that can be asked, the registrator first; none where no node is meant."""
    there = (i for i in engine.instances if node and i.node == node and i.role in PROBED and i.state == "running")
    return tuple(sorted(there, key=lambda instance: instance.role, reverse=True))
