"""What the balancer agent decides: which config to apply, and when. Pure; the loop around it does the waiting.

    CatalogRead ──┐                      ┌── Apply(backends)   render, test, swap, reload, confirm
    RegistryLost ─┼─> reduce(state, e) ──┤
    Applied ──────┤                      └── WakeAt(time)       ask again then
    Rejected ─────┤
    Drifted, Tick ┘

A change is applied at once (leading edge). While nginx reloads, and while the bucket of reloads is empty, changes
gather and become one config. A registry that does not answer changes nothing; one that answers "none" does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stackctl.domain.balancer import Backends, BalancerSettings, backends
from stackctl.domain.catalog import Catalog, SetAside, servable

BURST = 4.0  # reloads that may follow each other at once
REFILL = 4.0  # reloads a second after that
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
class Tick:
    """A moment that WakeAt asked for."""

    at: float


Event = CatalogRead | RegistryLost | Applied | Rejected | Drifted | Tick


@dataclass(frozen=True, slots=True)
class Apply:
    """Make these backends the running config."""

    backends: Backends


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a Tick at this time."""

    at: float


Command = Apply | WakeAt


@dataclass(frozen=True, slots=True)
class State:
    """What the agent knows. Keys of backends are the services' names in the spec.

    `applied` is None when nobody knows what runs; `tokens` are reloads that may follow at once.
    """

    settings: BalancerSettings
    wanted: Backends = field(default_factory=dict)
    applied: Backends | None = None
    applying: bool = False
    rejected: Rejected | None = None
    registry_lost: Mapping[str, str] = field(default_factory=dict)
    set_aside: Mapping[str, tuple[SetAside, ...]] = field(default_factory=dict)
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
            return _decide(_with_catalog(state, catalog), at)
        case RegistryLost(service, reason):
            return replace(state, registry_lost={**state.registry_lost, service: reason}), ()
        case Applied(applied, at):
            return _decide(replace(state, applied=applied, applying=False, rejected=None), at)
        case Rejected(_, _, at):
            # What runs now is unknown after a reload that was not confirmed: forget it, so that it is applied again.
            return _decide(replace(state, applied=None, applying=False, rejected=event), at)
        case Drifted(_, at):
            return _decide(replace(state, applied=None), at)
        case Tick(at):
            return _decide(state, at)


def _with_catalog(state: State, catalog: Catalog) -> State:
    now = backends(servable(catalog.entries))
    names = [service.name for service in state.settings.services if service.catalog_name == catalog.service]
    return replace(
        state,
        wanted={**state.wanted, **dict.fromkeys(names, now)},
        set_aside={**state.set_aside, catalog.service: catalog.set_aside},
        registry_lost={name: why for name, why in state.registry_lost.items() if name != catalog.service},
    )


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
