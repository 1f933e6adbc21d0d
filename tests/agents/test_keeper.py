"""Whether a machine has an address is read as the kernel writes it."""

from __future__ import annotations

from stackctl.agents.keeper import local_addresses

TABLE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 172.18.0.0/16 2 0 2
        |-- 172.18.0.0
           /16 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 172.18.0.0/16 2 0 2
        |-- 172.18.0.11
           /32 host LOCAL
        |-- 172.18.0.100
           /32 host LOCAL
        |-- 172.18.255.255
           /32 link BROADCAST
"""


def test_local_addresses() -> None:
    """Addresses of the machine itself count, primary or not; routes and broadcasts do not."""
    assert list(local_addresses(TABLE)) == ["127.0.0.1", "172.18.0.11", "172.18.0.100"]
