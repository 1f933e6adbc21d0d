"""keepalived's configuration, compared as the text that is written."""

from __future__ import annotations

import pytest

from stackctl.domain.host import Host
from stackctl.rendering.keepalived import keepalived_conf, router
from tests.golden import golden

HOSTS = tuple(Host(name, context=name, address=f"192.0.2.{n}") for n, name in enumerate(("one", "two", "three"), 1))


def test_whole_file() -> None:
    """The second of three machines: its peers, its balancer's port, a priority between theirs."""
    golden("keepalived/two.conf", keepalived_conf("shop", "192.0.2.100", 9080, HOSTS[1], HOSTS, whose="shop"))


@pytest.mark.parametrize(("address", "number"), [("192.0.2.100", 100), ("10.0.1.0", 255), ("10.0.1.255", 255)])
def test_router(address: str, number: int) -> None:
    """The number of a router is the address's last one, and never 0, which VRRP does not have."""
    assert router(address) == number
