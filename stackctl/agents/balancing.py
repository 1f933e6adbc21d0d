"""What the balancer agent decides: which config to apply, and when. Pure; the loop around it does the waiting.

    CatalogRead ──┐                      ┌── Apply(backends)   render, test, swap, reload, confirm
    RegistryLost ─┼─> reduce(state, e) ──┤
    Applied ──────┤                      ├── WakeAt(time)       ask again then
    Rejected ─────┤                      └── Ask(backends)      do they still answer?
    Drifted, Tick ┤
    Answering ────┘

A change is applied at once (leading edge). While nginx reloads, and while the bucket of reloads is empty, changes
gather and become one config. A registry that does not answer changes nothing. One that has forgotten a service
altogether is doubted while the instances still answer, for seconds at most: it may have been made anew, empty. One that
knows them and calls none healthy is believed at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stackctl.domain.balancer import Backend, Backends, BalancerSettings, backends
from stackctl.domain.catalog import Catalog, SetAside, servable

BURST = 4.0  # reloads that may follow each other at once
REFILL = 4.0  # reloads a second after that
DOUBT = 10.0  # seconds in which a registrator writes again what a registry forgot
ASK_AGAIN = 0.25  # seconds between two questions to instances of a forgotten service
RETRY_REJECTED = 5.0  # seconds until a config that nginx refused is tried again


@dataclass(frozen=True, slots=True)
class CatalogRead:
    """The registry answered for one service."""

    catalog: Catalog
    at: float


@dataclass(frozen=True, slots=True)
class RegistryLost:
    """The registry did not answer for one catalog name."""

    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """Fresh connections see the config with these backends."""

    backends: Backends
    at: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """nginx refused the config, or did not confirm it; the one before still runs."""

    backends: Backends
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Drifted:
    """What runs or lies on disk is not what was applied."""

    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Answering:
    """Which of the instances of a service, by catalog name, accepted a connection."""

    service: str
    backends: tuple[Backend, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment that WakeAt asked for."""

    at: float


Event = CatalogRead | RegistryLost | Applied | Rejected | Drifted | Answering | Tick


@dataclass(frozen=True, slots=True)
class Apply:
    """Make these backends the running config."""

    backends: Backends


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a Tick at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask instances whether they answer, `after` seconds from now; `Answering` is the reply."""

    service: str
    backends: tuple[Backend, ...]
    after: float = 0.0


Command = Apply | WakeAt | Ask


@dataclass(frozen=True, slots=True)
class State:
    """What the agent knows. Keys of backends are the services' names in the spec.

    `applied` is None when nobody knows what runs; `doubted` are catalog names that the registry forgot, with the time
    until which that is not believed; `tokens` are reloads that may follow at once.
    """

    settings: BalancerSettings
    wanted: Backends = field(default_factory=dict)
    applied: Backends | None = None
    applying: bool = False
    rejected: Rejected | None = None
    registry_lost: Mapping[str, str] = field(default_factory=dict)
    set_aside: Mapping[str, tuple[SetAside, ...]] = field(default_factory=dict)
    doubted: Mapping[str, float] = field(default_factory=dict)
    tokens: float = BURST
    refilled_at: float = 0.0


def adopt(settings: BalancerSettings, running: Backends | None) -> State:
    """The state of an agent that starts beside an nginx which serves `running` (None: unknown).

    What runs is wanted until the registry says otherwise, so that a restarted agent never empties a config.
    """
    known = {service.name: (running or {}).get(service.name, ()) for service in settings.services}
    return State(settings, wanted=known, applied=known if running is not None else None)


def reduce(state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The next state and what to do now."""
    match event:
        case CatalogRead(catalog, at):
            return _read(state, catalog, at)
        case RegistryLost(service, reason):
            return replace(state, registry_lost={**state.registry_lost, service: reason}), ()
        case Applied(applied, at):
            return _decide(replace(state, applied=applied, applying=False, rejected=None), at)
        case Rejected(_, _, at):
            # What runs now is unknown after a reload that was not confirmed: forget it, so that it is applied again.
            return _decide(replace(state, applied=None, applying=False, rejected=event), at)
        case Answering(service, alive, at):
            return _answered(state, service, alive, at)
        case Drifted(_, at):
            return _decide(replace(state, applied=None), at)
        case Tick(at):
            return _decide(state, at)


def _read(state: State, catalog: Catalog, at: float) -> tuple[State, tuple[Command, ...]]:
    state = replace(
        state,
        set_aside={**state.set_aside, catalog.service: catalog.set_aside},
        registry_lost={name: why for name, why in state.registry_lost.items() if name != catalog.service},
    )
    served = _served(state, catalog.service)
    if catalog.entries or not served:
        return _decide(_want(state, catalog.service, backends(servable(catalog.entries))), at)
    if catalog.service in state.doubted:
        return state, ()  # it is being asked about already
    return replace(state, doubted={**state.doubted, catalog.service: at + DOUBT}), (Ask(catalog.service, served),)


def _answered(state: State, service: str, alive: tuple[Backend, ...], at: float) -> tuple[State, tuple[Command, ...]]:
    if service not in state.doubted:
        return state, ()  # the registry has remembered meanwhile
    if not alive or at >= state.doubted[service]:
        return _decide(_want(state, service, ()), at)
    return state, (Ask(service, alive, ASK_AGAIN),)


def _want(state: State, service: str, members: tuple[Backend, ...]) -> State:
    names = [routed.name for routed in state.settings.services if routed.catalog_name == service]
    doubted = {name: until for name, until in state.doubted.items() if name != service}
    return replace(state, wanted={**state.wanted, **dict.fromkeys(names, members)}, doubted=doubted)


def _served(state: State, service: str) -> tuple[Backend, ...]:
    """What the config that is wanted has for a catalog name."""
    names = [routed.name for routed in state.settings.services if routed.catalog_name == service]
    return next((state.wanted[name] for name in names if state.wanted.get(name)), ())


def _decide(state: State, at: float) -> tuple[State, tuple[Command, ...]]:
    tokens = min(BURST, state.tokens + max(0.0, at - state.refilled_at) * REFILL)
    state = replace(state, tokens=tokens, refilled_at=at)
    if state.applying or state.wanted == state.applied:
        return state, ()
    if state.rejected and state.rejected.backends == state.wanted and at < state.rejected.at + RETRY_REJECTED:
        return state, (WakeAt(state.rejected.at + RETRY_REJECTED),)
    if tokens < 1:
        return state, (WakeAt(at + (1 - tokens) / REFILL),)
    return replace(state, tokens=tokens - 1, applying=True), (Apply(state.wanted),)
