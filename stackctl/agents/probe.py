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
from stackctl.agents.cluster import cluster, weaknesses
from stackctl.agents.inspection import AGENT_PORT, inspect
from stackctl.agents.nginx import Nginx
from stackctl.agents.registries import open_registry
from stackctl.errors import StackctlError
from stackctl.ports import Registry
from stackctl.probing.http import Way, traffic
from stackctl.probing.wire import balancer_to_json, catalog_to_json, traffic_to_json
from stackctl.rendering.nginx import TOKEN_PLACEHOLDER


class Probe:
    """Answers questions; keeps one connection to the registry and none to the balancer."""

    def __init__(self, registry: Registry, nginx: Nginx) -> None:
        self._registry = registry
        self._nginx = nginx

    async def answer(self, question: dict[str, Any]) -> Any:
        """The answer as JSON values; raises `StackctlError` or `OSError` where there is none."""
        match question:
            case {"ask": "registry", "services": services}:
                weak = await weaknesses(self._registry)
                catalogs = [await self._registry.catalog(service, consistent=True) for service in services]
                return {"catalogs": [catalog_to_json(catalog) for catalog in catalogs], "voteless": weak}
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


async def config(nginx: Nginx) -> dict[str, Any]:
    """The text that the running nginx was started with, its secret left out."""
    seen = await inspect(nginx)
    text = nginx.config.read_text() if seen.reloaded else nginx.text(seen.revision)
    return {"revision": seen.revision, "text": text.replace(nginx.token(), TOKEN_PLACEHOLDER)}


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
    async with open_registry(settings.balancer().registry) as registry:
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
