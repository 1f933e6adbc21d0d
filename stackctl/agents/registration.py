"""What the registrator decides: who is registered, and what is asked and written for it. Pure.

    Observed, Vanished, Listed ──┐                      ┌── Probe, Abandon        ask an instance, stop asking
    Signalled, Died ─────────────┤                      │
    Answered ────────────────────┼─> reduce(state, e) ──┼── Register, Deregister  write to the registry
    Held, Marked, RegistryLost ──┤                      ├── Mark                  nobody is sent there any more
    Looked ──────────────────────┘                      └── Look, Release         ask balancers, let a warned one end

An instance is registered while it runs, is not paused, unhealthy or about to end, and has answered. Events
carry facts, so doubled, late and lost ones do no lasting harm: once every container was observed again and
`Held` was read, the catalog is the same. One that its engine merely warned is marked, told to end when no balancer
sends it anything more (`leaving`), and only then no longer registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stackctl.agents import leaving
from stackctl.agents.leaving import Leavers, Looked
from stackctl.agents.registration_events import (
    Abandon,
    Answered,
    Ask,
    Command,
    Deregister,
    Died,
    Event,
    Held,
    Listed,
    Mark,
    Marked,
    Observed,
    Probe,
    Register,
    RegistryLost,
    Signalled,
    Vanished,
)
from stackctl.domain.catalog import Registration, leading_to
from stackctl.domain.container import ENDING_SIGNALS, Container
from stackctl.domain.conventions import Claims, Scope, claims
from stackctl.domain.wishes import STOP_LABEL

# What a container may take beyond its stop timeout; one that still runs then has ignored the signal.
STOP_MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Known:
    """A container that asks to be registered, and as what."""

    container: Container
    claims: Claims


@dataclass(frozen=True, slots=True, order=True)
class End:
    """The sign that a run ends; `certain` when it is over, and not only asked to end."""

    at: float
    certain: bool


@dataclass(frozen=True, slots=True)
class State:
    """What the agent knows. `held` is what the registry holds, commands counted in; None where unknown. `marks` are the
    ids that were to be marked, with the time from which the registry has the mark."""

    scope: Scope
    known: Mapping[str, Known] = field(default_factory=dict)
    ends: Mapping[str, End] = field(default_factory=dict)
    asked: frozenset[Ask] = frozenset()
    answered: frozenset[Ask] = frozenset()
    held: Mapping[str, Registration] | None = None
    listed: bool = False
    leavers: Leavers = field(default_factory=Leavers)
    marks: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def registered(self) -> int:
        """How many registrations the registry holds for this agent."""
        return sum(registration.owner == self.scope.owner for registration in (self.held or {}).values())


def reduce(state: State, event: Event) -> tuple[State, tuple[Command, ...]]:
    """The next state and what to do now."""
    match event:
        case Observed(container, at):
            return _decide(_with_container(state, container, at))
        case Vanished(container):
            return _decide(_without(state, container))
        case Signalled(container, signal, at):
            known = state.known.get(container)
            ends = known.container.ends_by(signal) if known else signal in ENDING_SIGNALS
            leavers, look = _warned(state.leavers, known, signal, at)
            state = replace(state, leavers=leavers)
            state, commands = _decide(_with_end(state, container, End(at, certain=False)) if ends else state)
            return state, (*commands, *look)
        case Died(container, at):
            state = replace(state, leavers=leaving.without(state.leavers, container))
            return _decide(_with_end(state, container, End(at, certain=True)))
        case Listed():
            return _decide(replace(state, listed=True))
        case Answered(ask):
            return _decide(replace(state, asked=state.asked - {ask}, answered=state.answered | {ask}))
        case Held():
            return _decide(_with_held(state, event))
        case Marked(id, at):
            marks = {**state.marks, id: at} if id in state.marks else state.marks
            return _decide(replace(state, marks=marks))
        case RegistryLost():
            return _decide(replace(state, held=None, marks={}))
        case Looked():
            leavers, told = leaving.looked(state.leavers, event)
            state, commands = _decide(replace(state, leavers=leavers))
            return state, (*told, *commands)


def problems(state: State) -> dict[str, str]:
    """The containers, by name, that ask to be registered and are set aside, and why."""
    found = {known.container.name: known.claims.problem for known in state.known.values() if known.claims.problem}
    claimed = _claimed(state)
    for known in state.known.values():
        name = known.container.name
        for id in (claim.registration.id for claim in known.claims.wanted if not claim.called):
            if id in (state.held or {}) and id not in _own(state):
                found[name] = f"the id {id!r} is registered by somebody else"
            elif id in claimed and claimed[id][1].instance != name:
                found[name] = f"the id {id!r} belongs to {claimed[id][1].instance}, which is older"
    return found


def _warned(
    leavers: Leavers, known: Known | None, signal: int, at: float
) -> tuple[Leavers, tuple[leaving.Command, ...]]:
    """Who was merely warned has to be told; a signal that ends it does so by itself."""
    if known and signal == known.container.stop_signal and STOP_LABEL in known.container.labels:
        return leaving.warned(leavers, known.container, (claim.registration for claim in known.claims.wanted), at)
    return leavers, ()


def _with_container(state: State, container: Container, at: float) -> State:
    before = state.known.get(container.id)
    wanted = before.claims if before and before.container == container else claims(container, state.scope)
    if wanted == Claims():
        return _without(state, container.id)
    end = state.ends.get(container.id)
    over = end and (end.at < container.started or _ignored(end, container, at))
    ends = {id: e for id, e in state.ends.items() if id != container.id} if over else state.ends
    return replace(state, known={**state.known, container.id: Known(container, wanted)}, ends=ends)


def _ignored(end: End, container: Container, at: float) -> bool:
    return not end.certain and at > end.at + container.stop_timeout + STOP_MARGIN


def _without(state: State, container: str) -> State:
    return replace(
        state,
        known={id: known for id, known in state.known.items() if id != container},
        ends={id: end for id, end in state.ends.items() if id != container},
        leavers=leaving.without(state.leavers, container),
    )


def _with_end(state: State, container: str, end: End) -> State:
    # The later sign counts: a `kill` that is told late must not hide that the run is over.
    return replace(state, ends={**state.ends, container: max(end, state.ends.get(container, end))})


def _with_held(state: State, event: Held) -> State:
    held = {registration.id: registration for registration in event.registrations}
    if state.held is not None:
        held = {id: r for id, r in held.items() if id not in event.disturbed}
        held |= {id: state.held[id] for id in event.disturbed if id in state.held}
    # What the registry has lost is asked anew: an answer from long ago says little about now.
    lost = {ask for id, (ask, _) in _claimed(state).items() if id not in held}
    return replace(state, held=held, answered=state.answered - lost)


def _claimed(state: State) -> dict[str, tuple[Ask, Registration]]:
    """What the serving containers ask for, by the registration's id; of two with one id the older has it."""
    found: dict[str, tuple[Ask, Registration]] = {}
    for known in sorted(state.known.values(), key=lambda known: (known.container.created, known.container.id)):
        container = known.container
        if container.serving and container.started > _ended(state, container.id):
            for claim in (claim for claim in known.claims.wanted if not claim.called):
                ask = Ask(container.id, container.started, claim.question)
                found.setdefault(claim.registration.id, (ask, claim.registration))
    return found


def _moved(state: State) -> dict[str, Registration]:
    """What somebody registered by a call, where its container has another endpoint since it was started again. Where it
    led before is perhaps another container's by now."""
    found: dict[str, Registration] = {}
    for known in state.known.values():
        if known.container.serving and known.container.started > _ended(state, known.container.id):
            for now in (claim.registration for claim in known.claims.wanted if claim.called):
                held = (state.held or {}).get(now.id)
                if held and not held.owner and held.endpoint != now.endpoint:
                    found[now.id] = leading_to(held, now.endpoint)
    return found


def _ended(state: State, container: str) -> float:
    return state.ends[container].at if container in state.ends else 0.0


def _own(state: State) -> dict[str, Registration]:
    return {id: r for id, r in (state.held or {}).items() if r.owner == state.scope.owner}


def _decide(state: State) -> tuple[State, tuple[Command, ...]]:
    claimed = _claimed(state)
    own = _own(state)
    answered = state.answered & {ask for ask, _ in claimed.values()}
    # The registry's own check looks after what it holds: a restarted agent must not remove it to ask first.
    due = {
        id: r for id, (ask, r) in claimed.items() if ask in answered or (id in own and own[id].endpoint == r.endpoint)
    }
    asked = frozenset(ask for id, (ask, _) in claimed.items() if id not in due)
    commands: list[Command] = [Abandon(ask) for ask in state.asked - asked]
    commands += [Probe(ask) for ask in asked - state.asked]
    held, marks = state.held, state.marks
    # Before every container was seen, a registration without one could still be anybody's.
    if held is not None and state.listed:
        gone = own.keys() - due.keys()
        leave = {id: marks.get(id) for id in gone & _leaving(state)}
        commands += [Mark(id) for id in sorted(leave.keys() - marks.keys())]
        gone, marks = gone - leave.keys(), leave
        new = {id: r for id, r in due.items() if held.get(id) != r and (id in own or id not in held)} | _moved(state)
        commands += [Register(new[id]) for id in sorted(new)]
        commands += [Deregister(id) for id in sorted(gone)]
        held = {id: r for id, r in held.items() if id not in gone} | new
    state = replace(state, asked=asked, answered=answered, held=held, marks=marks)
    return replace(state, leavers=leaving.marked(state.leavers, _unsent(state))), tuple(commands)


def _ids(state: State, container: str) -> frozenset[str]:
    known = state.known.get(container)
    return frozenset(claim.registration.id for claim in known.claims.wanted) if known else frozenset()


def _leaving(state: State) -> frozenset[str]:
    """The ids of those that were warned and have not been told to end."""
    return frozenset(id for who in state.leavers.waiting for id in _ids(state, who.container.id))


def _unsent(state: State) -> dict[str, float]:
    """The containers, of those that were warned, to which the registry sends nobody, with the time since when."""
    if state.held is None or not state.listed:
        return {}
    found: dict[str, float] = {}
    for who in state.leavers.waiting:
        times = [state.marks.get(id) for id in _ids(state, who.container.id) & _own(state).keys()]
        known = [at for at in times if at is not None]
        if len(known) == len(times):
            found[who.container.id] = max(known, default=_ended(state, who.container.id))
    return found
