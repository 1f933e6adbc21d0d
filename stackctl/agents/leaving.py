"""Who was warned of its end, and when it is told to end: when no balancer sends it anything more. Pure.

    warned(container) ──┐
    marked(container) ──┤                 ┌── Look      ask every balancer what it runs
    looked(balancers) ──┼─> the leavers ──┤
    without(container) ─┘                 └── Release   let it end

What a balancer ran before the registry had the mark says nothing: it may be about to load what the registry had then. A
balancer that can't be asked may still send something. It must not hold an instance for ever: its time is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from stackctl.domain.catalog import Registration
from stackctl.domain.container import Container
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import BalancerSeen, Observation
from stackctl.verifying.drained import Leaving, still_served, still_working

LONGEST = 15.0  # seconds for every balancer to be done with an instance
# Seconds between the mark and the look that counts. Whoever asks DNS for an instance's address may be about to connect.
LINGER = 1.0
# Of the time between warning and SIGKILL; the rest is the instance's own, to end what nobody but itself knows of.
SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Looked:
    """What every balancer ran, or that it did not say; it was asked between `began` and `at`."""

    balancers: tuple[BalancerSeen, ...]
    began: float
    at: float


@dataclass(frozen=True, slots=True)
class Look:
    """Ask every balancer what it runs, and wait for answers no longer than `until`: somebody's time is over then."""

    until: float


@dataclass(frozen=True, slots=True)
class Release:
    """Let a container end that was merely warned; `unproven` is what balancers may have of it when its time is over."""

    container: Container
    unproven: str = ""


Command = Look | Release


@dataclass(frozen=True, slots=True)
class Leaver:
    """A container that was warned, what no balancer may have of it any more, and until when that is waited for.

    Since `marked` nobody is sent to it by the registry. It is remembered after it was told, so that a warning that is
    heard twice tells it once.
    """

    container: Container
    sought: Leaving
    until: float
    marked: float | None = None
    told: bool = False


@dataclass(frozen=True, slots=True)
class Leavers:
    """All of them by their container's id; `looking` while balancers are asked, which is done once at a time."""

    known: Mapping[str, Leaver] = field(default_factory=dict)
    looking: bool = False

    @property
    def waiting(self) -> tuple[Leaver, ...]:
        """Those that were not told yet."""
        return tuple(who for who in self.known.values() if not who.told)


def warned(
    leavers: Leavers, container: Container, registrations: Iterable[Registration], at: float
) -> tuple[Leavers, tuple[Command, ...]]:
    """A container was warned, which balancers know under these registrations."""
    if container.id in leavers.known:
        return leavers, ()
    known = tuple(registrations)
    sought = Leaving(frozenset(r.instance for r in known), frozenset(str(r.endpoint) for r in known))
    leaver = Leaver(container, sought, at + min(LONGEST, container.stop_timeout * SHARE))
    return _looking(replace(leavers, known={**leavers.known, container.id: leaver}))


def marked(leavers: Leavers, since: Mapping[str, float]) -> Leavers:
    """The registry sends nobody to these containers, since a time each; the first one counts."""
    known = {
        id: replace(who, marked=since[id]) if id in since and who.marked is None else who
        for id, who in leavers.known.items()
    }
    return replace(leavers, known=known)


def looked(leavers: Leavers, event: Looked) -> tuple[Leavers, tuple[Command, ...]]:
    """Those end that are out of every balancer, and those whose time is over; for the others it is looked again."""
    words = {who.container.id: _why_not(who, event) for who in leavers.waiting}
    due = [who for who in leavers.waiting if not words[who.container.id] or event.at >= who.until]
    told = {who.container.id: replace(who, told=True) for who in due}
    leavers, more = _looking(Leavers({**leavers.known, **told}))
    return leavers, (*(Release(who.container, words[who.container.id]) for who in due), *more)


def without(leavers: Leavers, container: str) -> Leavers:
    """A container has ended, whoever saw to it."""
    return replace(leavers, known={id: who for id, who in leavers.known.items() if id != container})


def _why_not(who: Leaver, event: Looked) -> str:
    if who.marked is None:
        return "the registry was not told that it leaves"
    words = engaged(who.sought, event.balancers)
    if event.began < who.marked + LINGER:
        return words or "the registry was told too late that it leaves"
    return words


def engaged(sought: Leaving, balancers: tuple[BalancerSeen, ...]) -> str:
    """In words, what balancers have of leaving instances, or may have; empty where they are out of every one."""
    if not balancers:
        return "no balancer was found that could be asked"
    seen = Observation(0.0, EngineState(()), balancers=balancers)
    return "; ".join(dict.fromkeys((*still_served(sought, seen), *still_working(sought, seen))))


def _looking(leavers: Leavers) -> tuple[Leavers, tuple[Command, ...]]:
    if leavers.looking or not leavers.waiting:
        return leavers, ()
    return replace(leavers, looking=True), (Look(min(who.until for who in leavers.waiting)),)
