"""What the registrator hears of, and what it does about it. Values only; the decisions are in `registration`."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.agents.leaving import Look, Looked, Release
from stackctl.domain.catalog import Registration
from stackctl.domain.container import Container
from stackctl.domain.conventions import Question


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
class Marked:
    """The registry has the mark that this id leaves."""

    id: str
    at: float


@dataclass(frozen=True, slots=True)
class RegistryLost:
    """The registry's agent did not answer; what it holds is unknown."""


Event = Observed | Vanished | Signalled | Died | Listed | Answered | Held | Marked | RegistryLost | Looked


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
class Mark:
    """Mark the registration of this id as leaving: it stays, and nobody is sent to it. Without the last one a service
    would be forgotten, which balancers doubt while its instances answer."""

    id: str


Command = Probe | Abandon | Register | Deregister | Mark | Look | Release
