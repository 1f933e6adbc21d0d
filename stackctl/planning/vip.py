"""The virtual address: each machine has a keepalived, and one of those whose balancer answers has the address.

One a machine and not one a balancer: where balancers run is known only when they are launched, and the address follows
them by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.domain.desired import Workload
from stackctl.domain.stack import Stack
from stackctl.errors import UsageError
from stackctl.rendering.keepalived import keepalived_conf

VIP = "vip"
COMPONENT = "keepalived"
CONFIG = "/etc/keepalived/keepalived.conf"


def components(stack: Stack) -> tuple[str, ...]:
    """The components whose images it needs."""
    return (COMPONENT,) if stack.balancer.virtual_address else ()


def whose(stack: Stack) -> str:
    """The stack whose balancer must be the one that answers; empty where the user's own template may not say it."""
    return "" if stack.balancer.template else stack.name


def workloads(stack: Stack, images: Mapping[str, str]) -> tuple[Workload, ...]:
    """A keepalived for each machine; none where there is no address. Raises `UsageError` for a machine's own."""
    address, port = stack.balancer.virtual_address, stack.balancer.http
    if not address:
        return ()
    if taken := next((host.name for host in stack.hosts if host.address == address), ""):
        message = f"{address} is the address of {taken} itself"
        raise UsageError("virtual-address-taken", message, hint="choose one in their network that no machine has")
    return tuple(
        Workload(
            name=VIP,
            role="vip",
            image=images[COMPONENT],
            nodes=(host.name,),
            command=(address,),
            configs={CONFIG: keepalived_conf(stack.name, address, port, host, stack.hosts, whose=whose(stack))},
            # Addresses of the machine, and a protocol that is neither tcp nor udp. What asks nginx becomes nobody, and
            # is ended when it hangs.
            capabilities=("NET_ADMIN", "NET_RAW", "SETUID", "SETGID", "KILL"),
            stop_grace=5.0,
            extra={"network_mode": "host"},
        )
        for host in stack.hosts
    )
