"""The probe: answers questions about the stack from inside its network, one JSON line each. Beside a registrator there
is no nginx to be asked about; whatever is about the registry it answers there too.

A question is {"ask": NAME, …}; NAME is a method of `Answers`, the rest are its words. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from dataclasses import asdict
from functools import partial
from typing import Any

from stackctl.agents import asking, settings
from stackctl.agents.cluster import cluster, weaknesses
from stackctl.agents.connections import outgoing
from stackctl.agents.inspection import AGENT_PORT, inspect
from stackctl.agents.keeper import keeper
from stackctl.agents.nginx import Nginx
from stackctl.agents.registries import open_registry
from stackctl.agents.settings import TOLD, digest
from stackctl.domain.conventions import Question
from stackctl.domain.instance import Endpoint
from stackctl.errors import StackctlError
from stackctl.ports import Registry
from stackctl.probing.http import Way, traffic
from stackctl.probing.tcp import TcpWay, tcp_traffic
from stackctl.probing.wire import balancer_to_json, catalog_to_json, registration_from_json, traffic_to_json
from stackctl.rendering.nginx import TOKEN_PLACEHOLDER

TAKEN = 5.0
WITHIN = 50.0  # seconds for all requests of one question; whoever asks waits a little longer


class Answers:
    """What can be asked; keeps one connection to the registry and none to the balancer.

    Answers are JSON values; `StackctlError` or `OSError` is raised where there is none.
    """

    def __init__(self, registry: Registry, nginx: Nginx) -> None:
        self._registry = registry
        self._nginx = nginx

    async def registry(self, services: list[str]) -> Any:
        """A consistent read of these services, by catalog name, and what makes the registry weak."""
        weak = await weaknesses(self._registry)
        catalogs = [await self._registry.catalog(service, consistent=True) for service in services]
        return {"catalogs": [catalog_to_json(catalog) for catalog in catalogs], "weakened": weak}

    async def names(self) -> Any:
        """The names of all services that the registry has."""
        return list((await self._registry.names()).services)

    async def cluster(self) -> Any:
        """The registry's members, leader and raft peers."""
        return await cluster(self._registry)

    async def dns(self, services: list[str], server: str) -> Any:
        """What a DNS server says of these services, by catalog name."""
        from stackctl.probing.dns import answers  # dnspython, for stacks that are asked about names only

        return {service: asdict(answers(service, server)) for service in services}

    async def balancer(self) -> Any:
        """What the nginx here really runs."""
        return balancer_to_json(await inspect(self._nginx))

    async def config(self) -> Any:
        """The text of it."""
        return await config(self._nginx)

    async def token(self) -> Any:
        """The secret by which nginx tells who answered."""
        return self._nginx.token()

    async def tell(self, settings: dict[str, Any]) -> None:
        """New settings for the balancer here; returns when its agent has taken them, or raises `StackctlError`."""
        text = json.dumps(settings, sort_keys=True)
        beside = TOLD.with_name(f".{TOLD.name}.new")
        beside.write_text(text)
        beside.replace(TOLD)
        try:
            async with asyncio.timeout(TAKEN):
                while (await health("127.0.0.1")).get("told") != digest(text):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise StackctlError("not-told", f"waited {TAKEN:g} s for the agent to take its settings") from None

    async def traffic(self, way: dict[str, Any], expected: int, most: int = 0) -> Any:
        """Requests through the balancer."""
        deadline = time.monotonic() + WITHIN
        met = traffic(
            Way(**way), self._nginx.token(), expected=expected, most=most, going=lambda: time.monotonic() < deadline
        )
        return traffic_to_json(met)

    async def tcp(self, way: dict[str, Any], expected: int, foreign: list[str]) -> Any:
        """Connections through it."""
        count = partial(outgoing, self._nginx)
        return traffic_to_json(tcp_traffic(TcpWay(**way), count, expected=expected, foreign=foreign))

    async def connections(self) -> Any:
        """The balancer's established connections by remote endpoint."""
        return dict(outgoing(self._nginx))

    async def keeper(self, address: str, port: int, whose: str) -> Any:
        """What the machine shows of a virtual address; asked beside its keepalived."""
        return await keeper(address, port, whose)

    async def health(self, host: str) -> Any:
        """What an agent says of itself."""
        return await health(host)

    async def answers(self, endpoint: str, path: str) -> Any:
        """Whether an instance answers."""
        return await asking.answers(Question(Endpoint.parse(endpoint), path, 2.0))

    async def published(self, container: str) -> Any:
        """The ports of a container on this machine, by its own; asked beside the engine's socket."""
        from stackctl.engine.events import EngineSocket  # which only registrators have

        async with EngineSocket() as engine:
            found = await engine.inspect(container)
        return dict(found.published) if found else {}

    async def maintain(self, registration: str, reason: str | None) -> None:
        """Drain mark on, or off with None."""
        await self._registry.maintain(registration, reason)

    async def register(self, registration: dict[str, Any]) -> None:
        """Write a registration."""
        await self._registry.register(registration_from_json(registration))

    async def deregister(self, registration: str) -> None:
        """Remove one."""
        await self._registry.deregister(registration)


async def answer(known: Answers, question: dict[str, Any]) -> Any:
    """The answer to a question; raises as `Answers` does."""
    name = str(question.pop("ask", ""))
    asked = None if name.startswith("_") else getattr(known, name, None)
    if asked is None:
        raise StackctlError("probe-unknown-question", f"the probe does not know {name!r}")
    return await asked(**question)


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
    detail = "; ".join([*said["reasons"], *aside]) or "well"
    told, set_aside = said.get("told", ""), said.get("set_aside", {})
    return {"healthy": said["healthy"], "detail": detail, "told": told, "set_aside": set_aside}


async def main() -> None:
    """Answer; the end of the input is the end."""
    async with open_registry(settings.known_registry()) as registry:
        known = Answers(registry, Nginx())
        questions: asyncio.Queue[str] = asyncio.Queue()
        threading.Thread(target=_listen, args=(asyncio.get_running_loop(), questions), daemon=True).start()
        while True:
            line = await questions.get()
            try:
                said: dict[str, Any] = {"answer": await answer(known, json.loads(line))}
            except (StackctlError, OSError, ValueError, KeyError, TypeError) as error:
                words = getattr(error, "message", "") or str(error) or repr(error)
                said = {"error": words, "id": getattr(error, "id", ""), "hint": getattr(error, "hint", "")}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


def _listen(loop: asyncio.AbstractEventLoop, questions: asyncio.Queue[str]) -> None:
    """In a thread of its own: a probe that nobody listens to any more ends at once, whatever it is waiting for."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(questions.put_nowait, line)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
