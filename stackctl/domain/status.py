"""The state of the parts around the services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stackctl.domain.observation import BalancerSeen, KeeperSeen


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the registry's cluster: of Consul as its gossip has it, of Redis as it answers."""

    name: str
    address: str
    role: str
    state: str


@dataclass(frozen=True, slots=True)
class Peer:
    """A server in the cluster's consensus."""

    name: str
    address: str
    state: str
    voter: bool


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The registry's cluster; `reason` says why where it could not be asked."""

    leader: str = ""
    members: tuple[Member, ...] = ()
    peers: tuple[Peer, ...] = ()
    reason: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ClusterStatus:
        """What the probe found."""
        members = tuple(Member(**member) for member in data["members"])
        return cls(data["leader"], members, tuple(Peer(**peer) for peer in data["peers"]))


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """What an agent says of itself."""

    id: str
    healthy: bool
    detail: str


@dataclass(frozen=True, slots=True)
class StackStatus:
    """All of it; `virtual_address` is empty where the machines share none."""

    stack: str
    engine: str
    cluster: ClusterStatus
    agents: tuple[AgentHealth, ...]
    balancers: tuple[BalancerSeen, ...]
    registry: Literal["consul", "redis", "static"] = "consul"
    virtual_address: str = ""
    keepers: tuple[KeeperSeen, ...] = ()
