"""The virtual address: each machine has a keepalived, and one of those whose balancer answers has the address.

One a machine and not one a balancer: where balancers run is known only when they are launched, and the address follows
them by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stackctl.domain.desired import Workload
from stackctl.domain.observation import KeeperSeen
from stackctl.domain.plan import Operation
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


def holder_last(operations: Iterable[Operation], keepers: Iterable[KeeperSeen]) -> list[Operation]:
    """In the order given, but that of the machine that has the address after all others: it is passed on once."""
    holders = {keeper.id for keeper in keepers if keeper.holds}
    return sorted(operations, key=lambda operation: operation.instance in holders)


def heirs(node: str, keepers: Iterable[KeeperSeen]) -> frozenset[str]:
    """The machines that could have the address if it is not to be at `node`; none where another one has it already."""
    others = [keeper for keeper in keepers if keeper.node != node]
    taken = any(keeper.holds for keeper in others)
    return frozenset() if taken else frozenset(keeper.node for keeper in others if keeper.fit)
