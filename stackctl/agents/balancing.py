"""What the balancer agent decides: which config to apply, and when. Pure; the loop around it does the waiting.

    Told ─────────┐
    NamesRead ────┤                      ┌── Watch, Unwatch    a service that only the registry knows
    CatalogRead ──┤                      ├── Apply(target)      render, test, swap, reload, confirm
    RegistryLost ─┼─> reduce(state, e) ──┤
    Applied ──────┤                      ├── WakeAt(time)       ask again then
    Rejected ─────┤                      └── Ask(backends)      do they still answer?
    Drifted, Tick ┤
    Answering ────┘

A change is applied at once (leading edge). While nginx reloads, and while the bucket of reloads is empty, changes
gather and become one config. A registry that does not answer changes nothing. One that has forgotten a service
altogether is doubted while the instances still answer, for seconds at most: it may have been made anew, empty. One that
knows them and calls none healthy is believed at once, unless it has not asked them since its agent was started.

The spec's services are routed as it says. Any other is routed as its registrations ask; what somebody else has already
(a path, a host, a port) it does not get.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from stackctl.agents.balancing_events import (
    Answering,
    Applied,
    Apply,
    Ask,
    CatalogRead,
    Command,
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
from stackctl.domain.balancer import Backend, BalancerSettings, RoutedService, Target, backends
from stackctl.domain.catalog import Catalog, SetAside, believed, servable
from stackctl.domain.instance import DNS_LABEL
from stackctl.domain.route import Route, route_of_registration

T = TypeVar("T")

STATUS_PAGE = "/stub_status"

BURST = 4.0  # reloads that may follow each other at once
REFILL = 4.0  # reloads a second after that
DOUBT = 10.0  # seconds in which a registrator writes again what a registry forgot
ASK_AGAIN = 0.25  # seconds between two questions to instances of a forgotten service
SUSPENDED = 60.0  # seconds until services that were left out after a refusal are tried again
RETRY_REJECTED = 5.0  # seconds until a config that nginx refused is tried again


@dataclass(frozen=True, slots=True)
class State:
    """What the agent knows; every mapping is by catalog name.

    `members` are the backends that the registry wants, `routes` how services are reached that the spec does not name.
    `suspended` are services of the registry's alone that are left out because nginx refused a config with them, by its
    words. `names` is what the registry has, None where unknown. `applied` is None when nobody knows what runs;
    `overtaken` says that other settings were told since what is being applied was rendered;
    `doubted` are services that the registry forgot, with the time until which that is not believed; `tokens` are
    reloads that may follow at once.
    """

    settings: BalancerSettings
    members: Mapping[str, tuple[Backend, ...]] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    names: frozenset[str] | None = None
    watched: frozenset[str] = frozenset()
    applied: Target | None = None
    applying: bool = False
    overtaken: bool = False
    rejected: Rejected | None = None
    suspended: Mapping[str, str] = field(default_factory=dict)
    suspended_until: float = 0.0
    registry_lost: Mapping[str, str] = field(default_factory=dict)
    set_aside: Mapping[str, tuple[SetAside, ...]] = field(default_factory=dict)
    doubted: Mapping[str, float] = field(default_factory=dict)
    tokens: float = BURST
    refilled_at: float = 0.0

    @property
    def specified(self) -> frozenset[str]:
        """The services of the spec, by catalog name."""
        return frozenset(service.catalog_name for service in self.settings.services)

    @property
    def wanted(self) -> Target:
        """What should run."""
        services = (*self.settings.services, *(found for found, clash in _found(self) if not clash))
        return Target(services, {s.name: self.members.get(s.catalog_name, ()) for s in services})

    @property
    def problems(self) -> dict[str, str]:
        """Who is set aside, by instance or service, and why."""
        clashes = {found.catalog_name: clash for found, clash in _found(self) if clash}
        odd = {name: f"{name!r} is no DNS label" for name in sorted(self.names or ()) if not DNS_LABEL.match(name)}
        return clashes | odd | {item.id: item.reason for items in self.set_aside.values() for item in items}


def adopt(settings: BalancerSettings, running: Target | None) -> State:
    """The state of an agent that starts beside an nginx which serves `running` (None: unknown).

    What runs is wanted until the registry says otherwise, so that a restarted agent never empties a config.
    """
    state = State(settings)
    before = running or Target()
    return replace(
        state,
        members={s.catalog_name: before.backends[s.name] for s in before.services if s.name in before.backends},
        routes={s.catalog_name: s.route for s in before.services if s.catalog_name not in state.specified},
        watched=state.specified,
        applied=running,
    )


def reduce(state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The next state and what to do now."""
    match event:
        case Told(settings, at):
            return _told(state, settings, at)
        case NamesRead(names, at):
            return _named(state, frozenset(names), at)
        case CatalogRead(catalog, at):
            return _read(state, catalog, at)
        case RegistryLost(service, reason):
            return replace(state, registry_lost={**state.registry_lost, service: reason}), ()
        case Applied(_, at) | Rejected(_, _, at) if state.overtaken:  # what it tells is about settings of before
            return _decide(replace(state, applied=None, applying=False, overtaken=False), at)
        case Applied(applied, at):
            return _decide(replace(state, applied=applied, applying=False, rejected=None), at)
        case Rejected(_, _, at):
            # What runs now is unknown after a reload that was not confirmed: forget it, so that it is applied again.
            return _decide(_suspend(replace(state, applied=None, applying=False, rejected=event), event), at)
        case Answering(service, alive, at):
            return _answered(state, service, alive, at)
        case Drifted(_, at):
            return _decide(replace(state, applied=None), at)
        case Tick(at):
            return _decide(state, at)


def _found(state: State) -> Iterator[tuple[RoutedService, str]]:
    """The services that only the registry knows, by name, each with what somebody else has already or nothing."""
    taken = {service.route.claim: f"the stack's {service.name}" for service in state.settings.services}
    taken |= {Route("path", STATUS_PAGE).claim: "stub_status"} if state.settings.stub_status else {}
    names = {service.name for service in state.settings.services}
    for name, route in sorted(state.routes.items()):
        if name in state.specified:
            continue
        if name in state.suspended:
            yield RoutedService(name, name, route), f"nginx refused a config with it: {state.suspended[name]}"
            continue
        holder = f"the stack's {name}" if name in names else taken.get(route.claim, "")
        what = f"the name {name}" if name in names else route.claim
        yield RoutedService(name, name, route), f"{what} belongs to {holder}" if holder else ""
        taken.setdefault(route.claim, name)


def _told(state: State, settings: BalancerSettings, at: float) -> tuple[State, tuple[Command, ...]]:
    if settings == state.settings:
        return state, ()
    state = replace(state, settings=settings, applied=None, rejected=None, overtaken=state.applying)
    new = sorted(state.specified - state.watched)
    state, commands = _decide(replace(state, watched=state.watched | frozenset(new)), at)
    return state, (*map(Watch, new), *commands)


def _suspend(state: State, refused: Rejected) -> State:
    """Leave out what only the registry knows: one registration must not freeze the config of the others."""
    foreign = sorted(s.name for s in refused.target.services if s.catalog_name not in state.specified)
    if not foreign:
        return state
    suspended = {**state.suspended, **dict.fromkeys(foreign, refused.reason)}
    return replace(state, suspended=suspended, suspended_until=refused.at + SUSPENDED)


def _named(state: State, names: frozenset[str], at: float) -> tuple[State, tuple[Command, ...]]:
    state = replace(state, names=names, registry_lost=_without(state.registry_lost, ""))
    new = sorted(name for name in names - state.watched if DNS_LABEL.match(name))
    state, commands = _decide(replace(state, watched=state.watched | frozenset(new)), at)
    return state, (*map(Watch, new), *commands)


def _read(state: State, catalog: Catalog, at: float) -> tuple[State, tuple[Command, ...]]:
    name = catalog.service
    state = replace(state, registry_lost=_without(state.registry_lost, name))
    catalog = believed(catalog, {backend.id for backend in state.members.get(name, ())})
    state = _routed(replace(state, set_aside={**state.set_aside, name: catalog.set_aside}), catalog)
    served = state.members.get(name, ())
    if catalog.entries or not served:
        return _decide(_want(state, name, backends(servable(catalog.entries))), at)
    if name in state.doubted:
        return state, ()  # it is being asked about already
    return replace(state, doubted={**state.doubted, name: at + DOUBT}), (Ask(name, served),)


def _routed(state: State, catalog: Catalog) -> State:
    """How a service that the spec does not name asks to be reached: its first registration that says so decides."""
    name = catalog.service
    if name in state.specified or not catalog.entries:
        return state
    aside, found = list(catalog.set_aside), None
    for entry in sorted(catalog.entries, key=lambda entry: entry.id):
        try:
            found = found or route_of_registration(name, entry.tags, dict(entry.meta), state.settings.domain)
        except ValueError as problem:
            aside.append(SetAside(entry.id, name, str(problem)))
    if found != state.routes.get(name):  # it asks for something else now: another chance
        state = replace(state, suspended=_without(state.suspended, name))
    routes = {**state.routes, name: found} if found else _without(state.routes, name)
    return replace(state, routes=routes, set_aside={**state.set_aside, name: tuple(aside)})


def _answered(state: State, service: str, alive: tuple[Backend, ...], at: float) -> tuple[State, tuple[Command, ...]]:
    if service not in state.doubted:
        return state, ()  # the registry has remembered meanwhile
    if not alive or at >= state.doubted[service]:
        return _decide(_want(state, service, ()), at)
    return state, (Ask(service, alive, ASK_AGAIN),)


def _want(state: State, service: str, members: tuple[Backend, ...]) -> State:
    return replace(state, members={**state.members, service: members}, doubted=_without(state.doubted, service))


def _decide(state: State, at: float) -> tuple[State, tuple[Command, ...]]:
    state, gone = _forget(state)
    if state.suspended and at >= state.suspended_until:  # what was refused may have been the moment's fault
        state = replace(state, suspended={})
    tokens = min(BURST, state.tokens + max(0.0, at - state.refilled_at) * REFILL)
    state = replace(state, tokens=tokens, refilled_at=at)
    wanted = state.wanted
    if state.applying or wanted == state.applied:
        return state, (*gone, WakeAt(state.suspended_until)) if state.suspended else gone
    if state.rejected and state.rejected.target == wanted and at < state.rejected.at + RETRY_REJECTED:
        return state, (*gone, WakeAt(state.rejected.at + RETRY_REJECTED))
    if tokens < 1:
        return state, (*gone, WakeAt(at + (1 - tokens) / REFILL))
    return replace(state, tokens=tokens - 1, applying=True), (*gone, Apply(wanted))


def _forget(state: State) -> tuple[State, tuple[Command, ...]]:
    """Services that are neither in the spec nor in the registry any more, and have no instance left."""
    if state.names is None:
        return state, ()
    known = state.specified | state.names
    gone = sorted(name for name in {*state.watched, *state.routes} - known if not state.members.get(name))
    if not gone:
        return state, ()
    return replace(
        state,
        members=_without(state.members, *gone),
        routes=_without(state.routes, *gone),
        suspended=_without(state.suspended, *gone),
        set_aside=_without(state.set_aside, *gone),
        registry_lost=_without(state.registry_lost, *gone),
        watched=state.watched - frozenset(gone),
    ), tuple(Unwatch(name) for name in gone if name in state.watched)


def _without(mapping: Mapping[str, T], *names: str) -> Mapping[str, T]:
    return {name: value for name, value in mapping.items() if name not in names}
