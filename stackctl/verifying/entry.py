"""The virtual address: one machine has it, whichever balancer lives could get it, and traffic through it is proven."""

from __future__ import annotations

from collections.abc import Iterable

from stackctl.domain.observation import KeeperSeen
from stackctl.domain.verdict import Divergence, Expectation, ExpectedService, SharedAddress


def held(expectation: Expectation, keepers: Iterable[KeeperSeen]) -> Divergence | None:
    """Whether exactly one machine has the address, and others stand by."""
    shared, by_node = expectation.shared, {keeper.node: keeper for keeper in keepers}
    if shared is None:
        return None
    words = [f"there is no keepalived on {node}" for node in shared.nodes if node not in by_node]
    silent = [keeper for keeper in by_node.values() if keeper.unreachable]
    words += [f"{keeper.id} can't be asked: {keeper.unreachable}" for keeper in silent]
    holders = [keeper for keeper in by_node.values() if keeper.holds]
    if len(holders) != 1:
        names = " and ".join(keeper.node for keeper in holders)
        words.insert(0, f"{names or 'nobody'} {'have' if names else 'has'} {shared.address}")
    fit, wanted = [keeper.node for keeper in by_node.values() if keeper.fit], expectation.balancers
    if len(fit) < wanted and not words:
        words.append(f"{wanted} machines could have {shared.address}, and only {_list(fit)} can")
    if len(fit) > wanted and not words:
        cause = f"only {wanted} of them have a balancer, so something else answers at its port"
        words.append(f"{_list(fit)} could have {shared.address}, and {cause}")
    if not words:
        return None
    extra = tuple(sorted(keeper.id for keeper in holders)) if len(holders) > 1 else ()
    return Divergence("entry", tuple(sorted(keeper.id for keeper in silent)), extra, "; ".join(words))


def unproven(shared: SharedAddress | None, service: ExpectedService, ways: Iterable[str]) -> Divergence | None:
    """Whether requests went through the address, to each port that leads to a service."""
    if shared is None:
        return None
    begin = f"entry {shared.address}:"
    asked = {int(way.removeprefix(begin)) for way in ways if way.startswith(begin)}
    ports = ", ".join(map(str, sorted(service.ports - asked)))
    return Divergence("traffic", reason=f"port {ports} of {shared.address} was not asked") if ports else None


def _list(nodes: Iterable[str]) -> str:
    return ", ".join(nodes) or "nobody"
