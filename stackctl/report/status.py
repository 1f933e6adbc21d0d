"""The status of a stack, for people and for programs."""

from __future__ import annotations

from typing import Any

from stackctl.domain.observation import KeeperSeen
from stackctl.domain.status import StackStatus
from stackctl.report.table import Table


def status_text(seen: StackStatus) -> str:
    """Tables: registry members with raft state, agents, balancers."""
    lines = [f"{seen.stack} · {seen.engine} · {_leader(seen)}"]
    if seen.cluster.members:
        lines.append(_members(seen))
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
    if seen.keepers:
        keepers = tuple((k.node, k.id, _holding(k)) for k in seen.keepers)
        lines.append(str(Table((seen.virtual_address, "keepalived", "state"), keepers)))
    return "\n\n".join(lines)


def status_json(seen: StackStatus) -> dict[str, Any]:
    """The same for programs."""
    return {
        "stack": seen.stack,
        "engine": seen.engine,
        seen.registry: _registry(seen),
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
        **({"virtual_address": _shared(seen)} if seen.virtual_address else {}),
    }


def _shared(seen: StackStatus) -> dict[str, Any]:
    keepers = [
        {"id": k.id, "node": k.node, "holds": k.holds, "fit": k.fit, "unreachable": k.unreachable or None}
        for k in seen.keepers
    ]
    return {"address": seen.virtual_address, "holders": [k.node for k in seen.keepers if k.holds], "machines": keepers}


def _holding(keeper: KeeperSeen) -> str:
    if keeper.unreachable:
        return keeper.unreachable
    answers = "" if keeper.fit else "no balancer answers here"
    if keeper.holds:
        return f"has it, and {answers}" if answers else "has it"
    return answers or "stands by"


def _leader(seen: StackStatus) -> str:
    cluster = seen.cluster
    if seen.registry == "static":
        return "a fixed list of instances"
    leads = "consul leader" if seen.registry == "consul" else "redis master"
    return f"{leads} {cluster.leader or f'none ({cluster.reason})'}"


def _members(seen: StackStatus) -> str:
    members = [(m.name, m.address, m.role, m.state) for m in seen.cluster.members]
    if seen.registry != "consul":
        return str(Table(("member", "address", "role", "state"), tuple(members)))
    peers = {peer.name: peer.state for peer in seen.cluster.peers}
    rows = tuple((*member, peers.get(member[0], "-")) for member in members)
    return str(Table(("member", "address", "role", "state", "raft"), rows))


def _registry(seen: StackStatus) -> dict[str, Any]:
    cluster = seen.cluster
    members = [{"name": m.name, "address": m.address, "role": m.role, "state": m.state} for m in cluster.members]
    if seen.registry == "static":
        return {}
    if seen.registry == "redis":
        return {
            "master": cluster.leader or None,
            "reason": cluster.reason or None,
            "nodes": [member for member in members if member["role"] != "sentinel"],
            "sentinels": [member for member in members if member["role"] == "sentinel"],
        }
    return {
        "leader": cluster.leader or None,
        "reason": cluster.reason or None,
        "members": members,
        "raft_peers": [
            {"name": p.name, "address": p.address, "state": p.state, "voter": p.voter} for p in cluster.peers
        ],
    }
