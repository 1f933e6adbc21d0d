"""Which of Consul's servers have their vote, and which the quorum can spare."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.domain.instance import EngineState
from stackctl.domain.status import ClusterStatus, Member, Peer
from stackctl.verifying.quorum import Quorum, quorum
from tests.building import instance

NAMES = ("consul-1", "consul-2", "consul-3")
MEMBERS = tuple(Member(name, f"10.0.0.{n}:8301", "server", "alive") for n, name in enumerate(NAMES, 1))
PEERS = tuple(Peer(name, f"10.0.0.{n}:8300", "follower", voter=True) for n, name in enumerate(NAMES, 1))
CLUSTER = ClusterStatus("consul-1", MEMBERS, PEERS)
TASKS = EngineState(tuple(instance(n, service=name, role="consul") for n, name in enumerate(NAMES, 1)))


def counted(cluster: ClusterStatus = CLUSTER, tasks: EngineState = TASKS) -> Quorum:
    return quorum(NAMES, cluster, tasks)


@pytest.mark.parametrize(
    ("cluster", "tasks"),
    [
        (replace(CLUSTER, members=(replace(MEMBERS[0], state="failed"), *MEMBERS[1:])), TASKS),
        (replace(CLUSTER, members=MEMBERS[1:]), TASKS),
        (replace(CLUSTER, peers=(replace(PEERS[0], voter=False), *PEERS[1:])), TASKS),
        (replace(CLUSTER, peers=PEERS[1:]), TASKS),
        (CLUSTER, EngineState(TASKS.instances[1:])),
        (CLUSTER, EngineState((replace(TASKS.instances[0], health="starting"), *TASKS.instances[1:]))),
    ],
    ids=["failed", "unknown to gossip", "no voter", "not in the consensus", "no task", "not healthy"],
)
def test_each_alone_proves_no_vote(cluster: ClusterStatus, tasks: EngineState) -> None:
    """A server lacks whichever of gossip, consensus and Swarm does not count it; then the others can't be spared."""
    seen = counted(cluster, tasks)
    assert seen.lacking == {"consul-1"}
    assert not seen.spares("consul-2") and not seen.spares("consul-3")


def test_one_of_three_can_be_spared() -> None:
    """While all vote, each may restart."""
    assert counted() == Quorum(3, {name: f"10.0.0.{n}:8301" for n, name in enumerate(NAMES, 1)}, frozenset())
    assert all(map(counted().spares, NAMES))


def test_more_servers_spare_more() -> None:
    """Of five the loss of one leaves one to spare, the loss of two none."""
    voting = {f"consul-{number}": "" for number in range(1, 5)}
    assert Quorum(5, voting, frozenset(["consul-5"])).spares("consul-1")
    del voting["consul-4"]
    assert not Quorum(5, voting, frozenset(["consul-4", "consul-5"])).spares("consul-1")


def test_the_only_one() -> None:
    """Where all vote and a majority can't be kept, waiting would not help."""
    assert Quorum(1, {"consul-1": ""}, frozenset()).spares("consul-1")


def test_back_only_under_a_new_address() -> None:
    """Gossip takes seconds to notice that the old one ended, and the consensus never forgets its vote."""
    assert counted().lacks(counted(), "consul-1") == {"consul-1"}
    moved = replace(CLUSTER, members=(replace(MEMBERS[0], address="10.0.0.9:8301"), *MEMBERS[1:]))
    assert counted(moved).lacks(counted(), "consul-1") == frozenset()
    worse = replace(moved, members=(moved.members[0], MEMBERS[1], replace(MEMBERS[2], state="failed")))
    assert counted(worse).lacks(counted(), "consul-1") == {"consul-3"}
    assert counted(worse).lacks(counted(worse), "consul-1") == {"consul-1"}
