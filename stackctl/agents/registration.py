"""What the registrator decides: who is registered, and what is asked and written for it. Pure.

    Observed, Vanished, Listed ──┐                      ┌── Probe, Abandon        ask an instance, stop asking
    Signalled, Died ─────────────┼─> reduce(state, e) ──┼── Register, Deregister  write to the registry
    Answered ────────────────────┤                      └── Release               let one end that was warned
    Held, RegistryLost ──────────┘

An instance is registered while it runs, is not paused, unhealthy or about to end, and has answered. Events
carry facts, so doubled, late and lost ones do no lasting harm: once every container was observed again and
`Held` was read, the catalog is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stackctl.domain.catalog import Registration
from stackctl.domain.container import ENDING_SIGNALS, Container
from stackctl.domain.conventions import Claims, Question, Scope, claims
from stackctl.domain.wishes import STOP_LABEL

# What a container may take beyond its stop timeout; one that still runs then has ignored the signal.
STOP_MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to one run of a container: after a restart it is another one."""

    container: str
    started: float
    question: Question


@dataclass(frozen=True, slots=True)
class Observed:
    """The engine was asked about a container at a time, and answered this."""

    container: Container
    at: float


@dataclass(frozen=True, slots=True)
class Vanished:
    """The engine was asked about a container and has none of that id."""

    container: str


@dataclass(frozen=True, slots=True)
class Signalled:
    """A container got a signal."""

    container: str
    signal: int
    at: float


@dataclass(frozen=True, slots=True)
class Died:
    """The run of a container that had begun by then is over."""

    container: str
    at: float


@dataclass(frozen=True, slots=True)
class Listed:
    """Every container that the engine has was observed at least once."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An instance answered the agent's own question."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Held:
    """What the registry's agent holds; it says nothing of ids that were written meanwhile (`disturbed`)."""

    registrations: tuple[Registration, ...]
    disturbed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RegistryLost:
    """The registry's agent did not answer; what it holds is unknown."""


Event = Observed | Vanished | Signalled | Died | Listed | Answered | Held | RegistryLost


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask until it answers."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Abandon:
    """Stop asking."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Register:
    """Write this registration."""

    registration: Registration


@dataclass(frozen=True, slots=True)
class Deregister:
    """Remove the registration of this id."""

    id: str


@dataclass(frozen=True, slots=True)
class Release:
    """Let a container end that was merely warned, once nobody sends it requests any more."""

    container: Container


Command = Probe | Abandon | Register | Deregister | Release


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
    """What the agent knows. `held` is what the registry holds, commands counted in; None where unknown."""

    scope: Scope
    known: Mapping[str, Known] = field(default_factory=dict)
    ends: Mapping[str, End] = field(default_factory=dict)
    asked: frozenset[Ask] = frozenset()
    answered: frozenset[Ask] = frozenset()
    held: Mapping[str, Registration] | None = None
    listed: bool = False

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
            state, commands = _decide(_with_end(state, container, End(at, certain=False)) if ends else state)
            return state, (*commands, *_release(known, signal))
        case Died(container, at):
            return _decide(_with_end(state, container, End(at, certain=True)))
        case Listed():
            return _decide(replace(state, listed=True))
        case Answered(ask):
            return _decide(replace(state, asked=state.asked - {ask}, answered=state.answered | {ask}))
        case Held():
            return _decide(_with_held(state, event))
        case RegistryLost():
            return _decide(replace(state, held=None))


def problems(state: State) -> dict[str, str]:
    """The containers, by name, that ask to be registered and are set aside, and why."""
    found = {known.container.name: known.claims.problem for known in state.known.values() if known.claims.problem}
    claimed = _claimed(state)
    for known in state.known.values():
        name = known.container.name
        for id in (claim.registration.id for claim in known.claims.wanted):
            if id in (state.held or {}) and id not in _own(state):
                found[name] = f"the id {id!r} is registered by somebody else"
            elif id in claimed and claimed[id][1].instance != name:
                found[name] = f"the id {id!r} belongs to {claimed[id][1].instance}, which is older"
    return found


def _release(known: Known | None, signal: int) -> tuple[Command, ...]:
    """Who was merely warned has to be told; a signal that ends it does so by itself."""
    warned = known and signal == known.container.stop_signal and STOP_LABEL in known.container.labels
    return (Release(known.container),) if known and warned else ()


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
    known = {id: known for id, known in state.known.items() if id != container}
    return replace(state, known=known, ends={id: end for id, end in state.ends.items() if id != container})


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
            for claim in known.claims.wanted:
                ask = Ask(container.id, container.started, claim.question)
                found.setdefault(claim.registration.id, (ask, claim.registration))
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
    held = state.held
    # Before every container was seen, a registration without one could still be anybody's.
    if held is not None and state.listed:
        gone = own.keys() - due.keys()
        new = {id: r for id, r in due.items() if held.get(id) != r and (id in own or id not in held)}
        commands += [Register(new[id]) for id in sorted(new)]
        commands += [Deregister(id) for id in sorted(gone)]
        held = {id: r for id, r in held.items() if id not in gone} | new
    return replace(state, asked=asked, answered=answered, held=held), tuple(commands)
