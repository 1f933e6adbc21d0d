"""The probe: answers questions about the stack from inside its network, one JSON line each.

`registry` (a consistent read), `balancer` (what the nginx here really runs), `traffic` (requests through it),
`config`, `cluster` (members, leader, raft peers), `health` (of an agent), `token`, `maintain` (drain mark on or off).
It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from stackctl.agents import settings
from stackctl.agents.inspection import AGENT_PORT, inspect
from stackctl.agents.nginx import Nginx
from stackctl.errors import StackctlError, Unreachable
from stackctl.probing.http import Way, traffic
from stackctl.probing.wire import balancer_to_json, catalog_to_json, traffic_to_json
from stackctl.registry.consul import Consul
from stackctl.rendering.nginx import TOKEN_PLACEHOLDER

# How serf numbers the states of members.
MEMBER_STATES = {1: "alive", 2: "leaving", 3: "left", 4: "failed"}


class Probe:
    """Answers questions; keeps one connection to the registry and none to the balancer."""

    def __init__(self, registry: Consul, nginx: Nginx) -> None:
        self._registry = registry
        self._nginx = nginx

    async def answer(self, question: dict[str, Any]) -> Any:
        """The answer as JSON values; raises `StackctlError` or `OSError` where there is none."""
        match question:
            case {"ask": "registry", "services": services}:
                # Without this the reads below would wait for a leader, and learn of one up to half a second late.
                if not await self._registry.get("/v1/status/leader"):
                    raise Unreachable("registry-unreachable", "Consul has no leader")
                catalogs = [await self._registry.catalog(service, consistent=True) for service in services]
                voteless = without_vote(await cluster(self._registry))
                return {"catalogs": [catalog_to_json(catalog) for catalog in catalogs], "voteless": voteless}
            case {"ask": "balancer"}:
                return balancer_to_json(await inspect(self._nginx))
            case {"ask": "traffic", "way": way, "expected": expected}:
                return traffic_to_json(traffic(Way(**way), self._nginx.token(), expected=expected))
            case {"ask": "config"}:
                return await config(self._nginx)
            case {"ask": "cluster"}:
                return await cluster(self._registry)
            case {"ask": "health", "host": host}:
                return await health(host)
            case {"ask": "token"}:
                return self._nginx.token()
            case {"ask": "maintain", "registration": registration, "reason": reason}:
                await self._registry.maintain(registration, reason)
                return None
        raise StackctlError("probe-unknown-question", f"the probe does not know {question.get('ask')!r}")


def without_vote(seen: dict[str, Any]) -> list[str]:
    """Servers that are alive and can't vote: not taken into the consensus again, or not long enough."""
    voters = {peer["name"] for peer in seen["peers"] if peer["voter"]}
    alive = [member["name"] for member in seen["members"] if member["role"] == "server" and member["state"] == "alive"]
    return [name for name in alive if name not in voters]


async def config(nginx: Nginx) -> dict[str, Any]:
    """The text that the running nginx was started with, its secret left out."""
    seen = await inspect(nginx)
    text = nginx.config.read_text() if seen.reloaded else nginx.text(seen.revision)
    return {"revision": seen.revision, "text": text.replace(nginx.token(), TOKEN_PLACEHOLDER)}


async def cluster(registry: Consul) -> dict[str, Any]:
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


async def health(host: str) -> dict[str, Any]:
    """What the agent on a host of the stack's network says of itself; silence is not health."""
    try:
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_connection(host, AGENT_PORT)
            writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError) as error:
        return {"healthy": False, "detail": f"it does not answer: {error!r}"}
    if not answer:
        return {"healthy": False, "detail": "it does not answer"}
    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    aside = [f"{id} is set aside: {reason}" for id, reason in said.get("set_aside", {}).items()]
    return {"healthy": said["healthy"], "detail": "; ".join([*said["reasons"], *aside]) or "well"}


async def main() -> None:
    """Answer until the input ends."""
    async with Consul(settings.registry_url(settings.load().registry)) as registry:
        probe = Probe(registry, Nginx())
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                answer: dict[str, Any] = {"answer": await probe.answer(json.loads(line))}
            except (StackctlError, OSError, ValueError, KeyError) as error:
                answer = {"error": getattr(error, "message", "") or str(error) or repr(error)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
