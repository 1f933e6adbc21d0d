"""A Redis registry's own cluster: who is master, which replicas follow, which Sentinels watch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from stackctl.domain.registry import MASTER_NAME
from stackctl.errors import StackctlError
from stackctl.ports import Registry
from stackctl.registry.redis import Redis
from stackctl.registry.redis_nodes import FAILURES, PORT, Node, in_words

QUESTION_TIMEOUT = 1.0


def redis(registry: Registry) -> Redis:
    """The session, known as what it is."""
    if not isinstance(registry, Redis):
        raise TypeError(f"{type(registry).__name__} has no cluster")
    return registry


async def cluster(registry: Redis) -> dict[str, Any]:
    """The nodes and the Sentinels as `domain.status.ClusterStatus` reads them; whoever is silent is in it as such."""
    told = registry.told
    nodes = [Node(name, PORT, told.password, QUESTION_TIMEOUT) for name in told.nodes.values()]
    try:
        leader, redis, sentinels = await asyncio.gather(
            _leader(registry),
            asyncio.gather(*map(_node, nodes)),
            asyncio.gather(*map(_sentinel, registry.sentinels.nodes)),
        )
    finally:
        await asyncio.gather(*(node.close() for node in nodes))
    return {"leader": leader, "members": [*redis, *sentinels], "peers": []}


async def weaknesses(registry: Redis) -> list[str]:
    """The parts that are there and can't do their work yet; raises `Unreachable` where nobody leads."""
    await registry.master(majority=True)
    return weak((await cluster(registry))["members"])


def weak(members: Iterable[dict[str, str]]) -> list[str]:
    """Replicas that do not follow, a second node that calls itself master, Sentinels that could not fail over.

    One that does not answer at all is no longer there: the engine tells of it."""
    there = [member for member in members if not member["state"].startswith("silent")]
    masters = [member for member in there if member["role"] == "master"]
    found = [member["name"] for member in there if member["state"] not in ("online", "watching")]
    return found + ([member["name"] for member in masters] if len(masters) > 1 else [])


async def _leader(registry: Redis) -> str:
    try:
        return (await registry.master(majority=True)).host
    except (StackctlError, *FAILURES):
        return ""


async def _node(node: Node) -> dict[str, str]:
    member = {"name": node.host, "address": str(node), "role": "redis"}
    try:
        role = await node.ask("ROLE")
    except FAILURES as error:
        return {**member, "state": f"silent: {in_words(error)}"}
    if role[0] == "master":
        return {**member, "role": "master", "state": "online"}
    # connect, connecting, sync or connected
    return {**member, "role": "replica", "state": "online" if role[3] == "connected" else str(role[3])}


async def _sentinel(node: Node) -> dict[str, str]:
    member = {"name": node.host, "address": str(node), "role": "sentinel"}
    try:
        await node.ask("SENTINEL", "CKQUORUM", MASTER_NAME)
    except FAILURES as error:
        words = in_words(error)
        return {**member, "state": words if words.startswith("NOQUORUM") else f"silent: {words}"}
    return {**member, "state": "watching"}
