"""The status of a stack whose machines share an address."""

from __future__ import annotations

from stackctl.domain.observation import KeeperSeen
from stackctl.domain.status import ClusterStatus, StackStatus
from stackctl.report.status import status_json, status_text

KEEPERS = (
    KeeperSeen("shop-one-vip-1", "one", holds=True, fit=True),
    KeeperSeen("shop-two-vip-1", "two", fit=True),
    KeeperSeen("shop-three-vip-1", "three"),
    KeeperSeen("shop-four-vip-1", "four", unreachable="it is exited"),
)
SEEN = StackStatus("shop", "hosts", ClusterStatus("one"), (), (), virtual_address="192.0.2.100", keepers=KEEPERS)


def test_who_has_the_address() -> None:
    """Each machine says in a few words whether it has the address, could have it, or why not."""
    table = status_text(SEEN).split("\n\n")[-1].splitlines()
    assert [line.split(maxsplit=2) for line in table] == [
        ["192.0.2.100", "keepalived", "state"],
        ["one", "shop-one-vip-1", "has it"],
        ["two", "shop-two-vip-1", "stands by"],
        ["three", "shop-three-vip-1", "no balancer answers here"],
        ["four", "shop-four-vip-1", "it is exited"],
    ]


def test_for_programs() -> None:
    """The document names the holders; a stack without an address has no such part."""
    shared = status_json(SEEN)["virtual_address"]
    assert (shared["address"], shared["holders"]) == ("192.0.2.100", ["one"])
    assert [(m["node"], m["fit"], m["unreachable"]) for m in shared["machines"]][2:] == [
        ("three", False, None),
        ("four", False, "it is exited"),
    ]
    assert "virtual_address" not in status_json(StackStatus("shop", "compose", ClusterStatus(), (), ()))
