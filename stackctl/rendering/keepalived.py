"""keepalived's configuration for one machine of those that share a virtual address."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from stackctl.domain.balancer import ALIVE
from stackctl.domain.host import Host
from stackctl.rendering.templates import environment
from stackctl.spec.bundled import bundled

HIGHEST = 200  # the first machine's priority; 255 would mean that the address is its own


def keepalived_conf(stack: str, address: str, port: int, own: Host, hosts: Sequence[Host], *, whose: str) -> str:
    """The whole keepalived.conf of `own`, one of `hosts`; its balancer publishes `port`, and says `whose` it is."""
    return (
        environment(bundled("templates") / "keepalived")
        .get_template("keepalived.conf.j2")
        .render(
            stack=stack,
            address=address,
            port=port,
            whose=whose,
            alive=ALIVE,
            own=own,
            peers=[host for host in hosts if host != own],
            priority=max(HIGHEST - list(hosts).index(own), 1),
            router=router(address),
        )
    )


def router(address: str) -> int:
    """The number by which machines know which address is spoken of (1 to 255): others in the same /24 have others."""
    return int(IPv4Address(address)) % 256 or 255
