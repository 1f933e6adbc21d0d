"""The status of a stack, for people and for programs."""

from __future__ import annotations

from typing import Any

from stackctl.domain.status import StackStatus
from stackctl.report.table import Table


def status_text(seen: StackStatus) -> str:
    """Tables: registry members with raft state, agents, balancers."""
    cluster = seen.cluster
    peers = {peer.name: peer for peer in cluster.peers}
    lines = [f"{seen.stack} · {seen.engine} · consul leader {cluster.leader or f'none ({cluster.reason})'}"]
    if cluster.members:
        rows = tuple(
            (m.name, m.address, m.role, m.state, peers[m.name].state if m.name in peers else "-")
            for m in cluster.members
        )
        lines.append(str(Table(("member", "address", "role", "state", "raft"), rows)))
    if seen.agents:
        agents = tuple((agent.id, "ok" if agent.healthy else "not ok", agent.detail) for agent in seen.agents)
        lines.append(str(Table(("agent", "health", "detail"), agents)))
    if seen.balancers:
        balancers = tuple(
            (
                b.id,
                b.revision[:8] or "-",
                str(sum(map(len, b.backends.values()))),
                b.unreachable or b.tampered or "runs what it was told",
            )
            for b in seen.balancers
        )
        lines.append(str(Table(("balancer", "revision", "backends", "state"), balancers)))
    return "\n\n".join(lines)


def status_json(seen: StackStatus) -> dict[str, Any]:
    """The same for programs."""
    cluster = seen.cluster
    return {
        "stack": seen.stack,
        "engine": seen.engine,
        "consul": {
            "leader": cluster.leader or None,
            "reason": cluster.reason or None,
            "members": [
                {"name": m.name, "address": m.address, "role": m.role, "state": m.state} for m in cluster.members
            ],
            "raft_peers": [
                {"name": p.name, "address": p.address, "state": p.state, "voter": p.voter} for p in cluster.peers
            ],
        },
        "agents": [{"id": a.id, "healthy": a.healthy, "detail": a.detail} for a in seen.agents],
        "balancers": [
            {
                "id": b.id,
                "revision": b.revision or None,
                "backends": {name: [m.id for m in members] for name, members in b.backends.items()},
                "unreachable": b.unreachable or None,
                "tampered": b.tampered or None,
            }
            for b in seen.balancers
        ],
    }
