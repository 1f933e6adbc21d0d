"""The registry's own cluster, seen from inside the stack: members, who leads, what weakens it."""

from __future__ import annotations

from typing import Any

from stackctl.errors import Unreachable
from stackctl.ports import Registry
from stackctl.registry.consul import Consul
from stackctl.registry.static import Static

# How serf numbers the states of members.
MEMBER_STATES = {1: "alive", 2: "leaving", 3: "left", 4: "failed"}


async def cluster(registry: Registry) -> dict[str, Any]:
    """Members, leader and raft peers as `domain.status.ClusterStatus` reads them; nothing of a fixed list."""
    if isinstance(registry, Consul):
        return await _consul(registry)
    if isinstance(registry, Static):
        return {"leader": "", "members": [], "peers": []}
    # Not where it is not needed: the client behind it is large.
    from stackctl.agents import redis_cluster

    return await redis_cluster.cluster(redis_cluster.redis(registry))


async def weaknesses(registry: Registry) -> list[str]:
    """The parts that are there and can't do their work yet; raises `Unreachable` where nobody leads."""
    if isinstance(registry, Static):
        return []
    if not isinstance(registry, Consul):
        from stackctl.agents import redis_cluster

        return await redis_cluster.weaknesses(redis_cluster.redis(registry))
    # Without this the reads below would wait for a leader, and learn of one up to half a second late.
    if not await registry.get("/v1/status/leader"):
        raise Unreachable("registry-unreachable", "Consul has no leader")
    return without_vote(await _consul(registry))


def without_vote(seen: dict[str, Any]) -> list[str]:
    """Servers that are alive and can't vote: not taken into the consensus again, or not long enough."""
    voters = {peer["name"] for peer in seen["peers"] if peer["voter"]}
    alive = [member["name"] for member in seen["members"] if member["role"] == "server" and member["state"] == "alive"]
    return [name for name in alive if name not in voters]


async def _consul(registry: Consul) -> dict[str, Any]:
    """Consul's members as the gossip has them, the leader and the raft peers, by Consul's own words."""
    members, leader, raft = (
        await registry.get("/v1/agent/members"),
        await registry.get("/v1/status/leader"),
        await registry.get("/v1/operator/raft/configuration"),
    )
    # By the gossip's addresses and by ids: addresses in the raft configuration stay behind when servers come back under
    # others, and then it does not even know their names.
    servers = {f"{member['Addr']}:{member['Tags'].get('port')}": str(member["Name"]) for member in members}
    leads = servers.get(leader, leader)
    names = {member["Tags"].get("id"): str(member["Name"]) for member in members}
    names = {peer["ID"]: names.get(peer["ID"], str(peer["Node"])) for peer in raft["Servers"]}
    peers = [
        {
            "name": names[peer["ID"]],
            "address": peer["Address"],
            "state": "leader" if names[peer["ID"]] == leads else "follower",
            "voter": peer["Voter"],
        }
        for peer in raft["Servers"]
    ]
    return {
        "leader": leads,
        "members": [
            {
                "name": member["Name"],
                "address": f"{member['Addr']}:{member['Port']}",
                "role": "server" if member["Tags"].get("role") == "consul" else "client",
                "state": MEMBER_STATES.get(member["Status"], str(member["Status"])),
            }
            for member in sorted(members, key=lambda member: str(member["Name"]))
        ],
        "peers": sorted(peers, key=lambda peer: str(peer["name"])),
    }
