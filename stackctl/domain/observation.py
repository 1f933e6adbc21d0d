"""Observations: what each layer showed, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackctl.domain.balancer import Backends
from stackctl.domain.catalog import Catalog
from stackctl.domain.instance import EngineState


@dataclass(frozen=True, slots=True)
class Traffic:
    """What requests for one service through one way in met.

    `answered` counts successful answers by endpoint ("192.0.2.1:80"); `failed` failed attempts by endpoint, "" where no
    instance was reached; `reasons` are a few of them in words.
    """

    requests: int = 0
    answered: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def errors(self) -> int:
        """Failed attempts; one request can hold several, because a balancer tries the next instance."""
        return sum(self.failed.values())


@dataclass(frozen=True, slots=True)
class Resolved:
    """What DNS answers for one service: addresses (A), addresses with ports (SRV), or why there is no answer; `node` is
    the machine on which it was asked, where there are several."""

    addresses: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    lost: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class BalancerSeen:
    """One balancer as seen from inside: the revision that fresh connections see and its backends.

    `tampered` says how the file on disk differs from what the agent applied, `dropped` which backends it lacks;
    `reloaded` is True where nginx already runs that file, and `backends` are then the file's.
    `unreachable` is the reason where nothing could be asked. `shutting_down` counts workers of older revisions that
    may still take a request, `connections` established connections to instances, by endpoint. `agent` says why its
    agent does not answer, `rejected` why the config that it wants does not run.
    """

    id: str
    revision: str = ""
    backends: Backends = field(default_factory=dict)
    tampered: str = ""
    dropped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reloaded: bool = False
    unreachable: str = ""
    shutting_down: int = 0
    connections: Mapping[str, int] = field(default_factory=dict)
    agent: str = ""
    rejected: str = ""
    traffic: Mapping[str, Traffic] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeeperSeen:
    """What the keepalived of one machine shows: whether the machine has the virtual address, and whether it is fit to
    have it, because its nginx answers. `unreachable` is the reason where nothing could be asked."""

    id: str
    node: str
    holds: bool = False
    fit: bool = False
    unreachable: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Every layer at one moment; `at` is a monotonic time in seconds.

    `catalogs` are by catalog name; `registry_lost` is the reason where there was no consistent answer; `weakened` are
    parts of the registry that are there and can't do their work (yet): servers without a vote, replicas without a link.
    `entries` is the traffic through each published entry ("127.0.0.1:8080"), by service. `resolved` is what DNS says
    on each machine, by catalog name; `set_aside` why the registrator does not register an instance. `keepers` are the
    machines that share a virtual address.
    """

    at: float
    engine: EngineState
    catalogs: Mapping[str, Catalog] = field(default_factory=dict)
    registry_lost: str = ""
    weakened: tuple[str, ...] = ()
    balancers: tuple[BalancerSeen, ...] = ()
    entries: Mapping[str, Mapping[str, Traffic]] = field(default_factory=dict)
    resolved: Mapping[str, tuple[Resolved, ...]] = field(default_factory=dict)
    set_aside: Mapping[str, str] = field(default_factory=dict)
    keepers: tuple[KeeperSeen, ...] = ()

    @property
    def holder(self) -> str:
        """The only machine that has the virtual address; empty where none has it, or several."""
        nodes = [keeper.node for keeper in self.keepers if keeper.holds]
        return nodes[0] if len(nodes) == 1 else ""
