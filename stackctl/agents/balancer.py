"""The balancer agent: watches the catalog and keeps the nginx beside it in agreement with it.

`python3 -m stackctl.agents.balancer`; `--first` writes the config that nginx starts with, and ends.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import jinja2

from stackctl.agents import settings
from stackctl.agents.balancing import State, adopt, reduce
from stackctl.agents.balancing_events import (
    Answering,
    Applied,
    Apply,
    Ask,
    CatalogRead,
    Drifted,
    Event,
    NamesRead,
    RegistryLost,
    Rejected,
    Tick,
    Told,
    Unwatch,
    WakeAt,
    Watch,
)
from stackctl.agents.door import door
from stackctl.agents.files import Files
from stackctl.agents.inspection import inspect
from stackctl.agents.loop import Backoff, Health, Log, Metrics, run, serve
from stackctl.agents.nginx import Nginx
from stackctl.agents.registries import open_registry
from stackctl.domain.balancer import Backend, BalancerSettings, Target
from stackctl.domain.instance import Endpoint
from stackctl.errors import StackctlError, Unreachable
from stackctl.ports import Registry
from stackctl.rendering.nginx import OWN, RenderedConfig, render
from stackctl.rendering.templates import TEMPLATE_FAILURES, environment

TEMPLATES = Path("/opt/stackctl/templates/nginx")
WAIT = 60.0  # seconds that a blocking query waits for news
LISTEN = 0.2  # seconds between two looks for new settings
GUARD = 5.0  # seconds between two looks at what runs and what lies on disk

log = Log("balancer")


class Balancer:
    """The loop around the reducer: it waits, reads clocks and talks; what to do is decided in `balancing`."""

    def __init__(self, told: str, nginx: Nginx, registry: Registry) -> None:
        self._told = told
        self._nginx = nginx
        self._registry = registry
        self._files = Files(settings.balancer(told).files, registry, log)
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._state: State = adopt(settings.balancer(told), None)
        self._loop = asyncio.get_running_loop()
        self.metrics = Metrics(
            "stackctl_balancer",
            applied_total="configs that fresh connections were seen to get",
            rejected_total="configs that nginx refused or did not confirm",
            drifts_total="times that what ran or lay on disk was not what was applied",
            registry_errors_total="questions that the registry did not answer",
            backends="backends in the config that is wanted",
        )

    def health(self) -> Health:
        """Well while the registry answers and nginx takes what it is given; who is set aside is told as well."""
        state, rejected = self._state, self._state.rejected.reason if self._state.rejected else ""
        reasons = tuple(
            filter(None, (*dict.fromkeys(state.registry_lost.values()), rejected, *self._files.problems.values()))
        )
        details = {"set_aside": state.problems, "rejected": rejected, "told": settings.digest(self._told)}
        return Health(reasons, details)

    async def run(self) -> None:
        """Until cancelled."""
        self._state = adopt(self._state.settings, await self._running())
        watches: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            for name in self._state.watched:
                watches[name] = tasks.create_task(self._watch(name))
            tasks.create_task(self._discover())
            tasks.create_task(self._guard())
            tasks.create_task(self._listen())
            keeping = tasks.create_task(self._files.run())
            while True:
                event = await self._events.get()
                if isinstance(event, Told) and event.settings.registry != self._state.settings.registry:
                    # The session is with another registry; nginx goes on, and the agent comes back with the new one.
                    raise StackctlError("registry-changed", "the balancer was told of another registry")
                self._state, commands = reduce(self._state, event)
                self._note(event)
                if isinstance(event, Told):
                    keeping.cancel()
                    self._files = Files(event.settings.files, self._registry, log)
                    keeping = tasks.create_task(self._files.run())
                for command in commands:
                    match command:
                        case Watch(name):
                            watches[name] = tasks.create_task(self._watch(name))
                        case Unwatch(name):
                            watches.pop(name).cancel()
                        case Apply(target):
                            tasks.create_task(self._apply(target))
                        case Ask(service, members, after):
                            tasks.create_task(self._ask(service, members, after))
                        case WakeAt(at):
                            self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._events.put_nowait(Tick(self._loop.time()))

    async def _running(self) -> Target | None:
        """What the nginx beside it serves, as soon as that answers."""
        backoff = Backoff(first=0.01, last=0.5)
        while True:
            try:
                return (await self._nginx.running()).target
            except StackctlError as error:
                log("nothing adopted", reason=error.message)
                return None
            except OSError:
                await backoff.wait()

    async def _watch(self, service: str) -> None:
        """Blocking queries: an answer is an event, and so is a failure; an answer's index starts the next query."""
        index, backoff = 0, Backoff(last=0.25)  # a new leader should not wait for us
        while True:
            try:
                catalog = await self._registry.catalog(service, index=index, wait=WAIT)
            except Unreachable as error:
                index = 0
                self._events.put_nowait(RegistryLost(service, error.message))
                await backoff.wait()
            else:
                index = catalog.index
                backoff.reset()
                self._events.put_nowait(CatalogRead(catalog, self._loop.time()))

    async def _discover(self) -> None:
        """The names of all services, by blocking queries as well."""
        index, backoff = 0, Backoff(last=0.25)
        while True:
            try:
                names = await self._registry.names(index=index, wait=WAIT)
            except Unreachable as error:
                index = 0
                self._events.put_nowait(RegistryLost("", error.message))
                await backoff.wait()
            else:
                index = names.index
                backoff.reset()
                self._events.put_nowait(NamesRead(names.services, self._loop.time()))

    async def _apply(self, target: Target) -> None:
        began = self._loop.time()
        try:
            told = self._state.settings
            rendered = render_config(template_of(told.template), told, target, self._nginx)
            await self._nginx.apply(rendered, target)
        except (StackctlError, OSError, *TEMPLATE_FAILURES) as error:
            self._events.put_nowait(Rejected(target, str(error), self._loop.time()))
        else:
            took = round((self._loop.time() - began) * 1000)
            ids = {name: [backend.id for backend in members] for name, members in target.backends.items()}
            log("applied", revision=rendered.revision, milliseconds=took, backends=ids)
            self._events.put_nowait(Applied(target, self._loop.time()))

    async def _ask(self, service: str, members: tuple[Backend, ...], after: float) -> None:
        """Which of these instances still accept a connection."""
        if after:
            await Backoff(first=after, last=after).wait()
        answers = await asyncio.gather(
            *(accepts(member.endpoint, self._state.settings.connect_timeout) for member in members)
        )
        alive = tuple(member for member, answered in zip(members, answers, strict=True) if answered)
        log("registry forgot a service", level="warning", service=service, answering=[member.id for member in alive])
        self._events.put_nowait(Answering(service, alive, self._loop.time()))

    async def _listen(self) -> None:
        """What the balancer is told while it runs; the probe writes it."""
        pause = Backoff(first=LISTEN, last=LISTEN)
        while True:
            await pause.wait()
            if (text := settings.text()) != self._told:
                self._told = text
                log("told", settings=settings.digest(text))
                self._events.put_nowait(Told(settings.balancer(text), self._loop.time()))

    async def _guard(self) -> None:
        """What runs and what lies on disk must be what was applied, whoever touched it meanwhile."""
        pause = Backoff(first=GUARD, last=GUARD)
        while True:
            await pause.wait()
            if self._state.applying or self._state.applied is None:
                continue
            try:
                seen = await inspect(self._nginx)
                drift = seen.tampered or (
                    "" if seen.backends == self._state.applied.backends else "nginx runs other backends"
                )
            except (StackctlError, OSError, ValueError) as error:
                drift = str(error)
            if drift and not self._state.applying:
                self._events.put_nowait(Drifted(drift, self._loop.time()))

    def _note(self, event: Event) -> None:
        match event:
            case RegistryLost(_, reason):
                log("registry lost", level="warning", reason=reason)
                self.metrics.add("registry_errors_total")
            case Rejected(_, reason, _):
                log("config rejected", level="error", reason=reason)
                self.metrics.add("rejected_total")
            case Drifted(reason, _):
                log("config drifted", level="warning", reason=reason)
                self.metrics.add("drifts_total")
            case Applied():
                self.metrics.add("applied_total")
            case _:
                pass
        self.metrics.set("backends", sum(map(len, self._state.wanted.backends.values())))


async def accepts(endpoint: Endpoint, timeout: float) -> bool:
    """Whether a connection is accepted within `timeout` seconds; a vanished address hangs instead of refusing."""
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(endpoint.address, endpoint.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def render_config(template: jinja2.Template, told: BalancerSettings, target: Target, nginx: Nginx) -> RenderedConfig:
    """The config of a target, with this container's token."""
    return render(template, told, target, token=nginx.token(), run=str(nginx.run))


@lru_cache(maxsize=1)  # to compile it takes thirty times as long as to render it, and as long as half a reload
def template_of(own: str) -> jinja2.Template:
    """The stack's own template, of that text, or stackctl's where it has none."""
    return environment(TEMPLATES, {OWN: own} if own else {}).get_template(OWN if own else "nginx.conf.j2")


async def main() -> None:
    """The agent of one balancer."""
    told = settings.text()
    async with open_registry(settings.balancer(told).registry) as registry, door():
        balancer = Balancer(told, Nginx(), registry)
        await serve("balancer", balancer.health, balancer.metrics)
        await balancer.run()


def write_first() -> None:
    """A config that answers 503 for every service: nobody is known yet."""
    told, nginx = settings.balancer(), Nginx()
    empty = Target(told.services, {service.name: () for service in told.services})
    try:
        rendered = render_config(template_of(told.template), told, empty, nginx)
        asyncio.run(nginx.test(rendered))
    except (StackctlError, *TEMPLATE_FAILURES) as error:
        # The agent will say so too, for as long as it lasts; traffic does not wait for it.
        log("own template failed", level="error", reason=str(error))
        rendered = render_config(template_of(""), replace(told, template=""), empty, nginx)
    nginx.write_first(rendered, empty)


if __name__ == "__main__":
    if sys.argv[1:] == ["--first"]:
        write_first()
    else:
        run(main(), log)
