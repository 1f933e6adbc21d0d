"""All that operators do, again and again, under all kinds of load, through two balancers: what is lost of it."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from bench.load import Report, load
from bench.losing import told
from bench.ours import Stack, stack
from bench.ports import free_port
from bench.running import Engine
from bench.streams import Kept, again_and_again, events, long_request, tcp, websocket

BALANCERS = 2
RATE, CLIENTS = 60, 6  # of each kind of connection through each balancer: 240 requests a second in all
LONG_ONES, STREAMS = 4, 3  # of each kind through each balancer
AFTER = 2.0
SHORTER = 5  # a round takes seven minutes and a hundred thousand requests
OUTAGE = 60.0
STORM = 100  # changes of the catalog, within a minute
SPEC = """\
name: {name}
registry:
  consul: {{servers: 3, ui: {ui}}}
balancer:
  replicas: 2
  http: {http}
services:
  web:
    image: whoami
    port: 80
    replicas: 2
    route: /
    check: {{http: /healthz}}
    stop_grace: 12s
    compose: {{environment: {{ROUND: "0"}}}}
  echo:
    image: echo
    port: 9999
    replicas: 2
    route: tcp:{tcp}
    stop_grace: 5s
"""


class Enduring:
    """The stack, and what is done to it."""

    def __init__(self, engine: Engine, made: Stack) -> None:
        self.engine = engine
        self.stack = made
        self.tcp = free_port(BALANCERS)
        made.entry = free_port(BALANCERS)
        text = SPEC.format(name=made.name, ui=made.ui, http=made.entry, tcp=self.tcp)
        self.spec = made.folder / "stack.yaml"
        self.spec.write_text(text)

    async def scaled(self, number: int) -> None:  # noqa: ARG002
        """2 → 10 → 2 instances."""
        await self.stack.stackctl("scale", "web=10")
        await self.stack.stackctl("scale", "web=2")

    async def changed(self, number: int) -> None:
        """Another environment."""
        before, _, after = self.spec.read_text().partition('ROUND: "')
        self.spec.write_text(f'{before}ROUND: "{number + 1}"{after.partition(chr(34))[2]}')
        await self.stack.stackctl("deploy", "web")

    async def forced(self, number: int) -> None:  # noqa: ARG002
        """The same definition, two at a time, and the tcp service."""
        await self.stack.stackctl("deploy", "web", "--force", "--parallel", "2")
        await self.stack.stackctl("deploy", "echo", "--force")

    async def another_image(self, number: int) -> None:
        """Another image, and back to the spec's."""
        image = self.engine.of_service(self.stack.name, "web").image
        assert image is not None
        name = f"{self.stack.name}:{number}"
        image.tag(self.stack.name, str(number))
        try:
            await self.stack.stackctl("deploy", "web", "--image", name)
            await self.stack.stackctl("deploy", "web")
        finally:
            self.engine.client.images.remove(name)

    async def storm(self, number: int) -> None:  # noqa: ARG002
        """A hundred changes of the catalog, each a reload unless it is coalesced."""
        for change in range(STORM // 2):
            where = {"Address": "192.0.2.1", "Port": 1000 + change, "Meta": {"route": "/storm"}}
            await self._consul("register", {"ID": "storm", "Name": "storm", **where})
            await self._consul("maintenance/storm?enable=true")
            await asyncio.sleep(0.5)
        await self._consul("deregister/storm")

    async def outage(self, number: int) -> None:  # noqa: ARG002
        """Every Consul server is down for a minute."""
        servers = [self.engine.of_service(self.stack.name, f"consul-{server}") for server in (1, 2, 3)]
        for server in servers:
            await asyncio.to_thread(server.kill)
        await asyncio.sleep(OUTAGE)
        for server in servers:
            await asyncio.to_thread(server.start)
        await self.stack.stackctl("verify", "--timeout", "60s")

    async def _consul(self, words: str, body: Any = None) -> None:
        url = f"http://127.0.0.1:{self.stack.ui}/v1/agent/service/{words}"
        request = urllib.request.Request(url, json.dumps(body).encode() if body else b"", method="PUT")
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=10).close())


async def endurance(engine: Engine, rounds: int, reports: list[dict[str, Any]], say: Callable[[str], None]) -> None:
    """A report for everything that is done, as soon as it was: so many rounds of it, and the outage once."""
    async with stack("endurance") as made:
        system = Enduring(engine, made)
        await made.stackctl("up")
        acts: list[tuple[str, Callable[[int], Awaitable[None]]]] = [
            ("scale 2 → 10 → 2", system.scaled),
            ("deploy a changed environment", system.changed),
            ("deploy --force --parallel 2, and tcp", system.forced),
            ("deploy another image, and back", system.another_image),
            ("100 changes of the catalog", system.storm),
        ]
        for number in range(max(1, rounds // SHORTER)):
            for what, act in acts:
                say(f"endurance {number + 1}: {what}")
                reports.append({"what": what, **await _under_load(system, act, number)})
        say("endurance: Consul's servers away")
        reports.append({"what": "all Consul servers down for 60 s", **await _under_load(system, system.outage, 0)})


async def _under_load(system: Enduring, act: Callable[[int], Awaitable[None]], number: int) -> dict[str, Any]:
    over, streams = asyncio.Event(), {kind: Kept() for kind in ("long", "events", "socket", "tcp")}
    entries = [system.stack.entry + balancer for balancer in range(BALANCERS)]
    requests = [
        asyncio.create_task(load(entry, over, rate=RATE, clients=CLIENTS, keep=keep))
        for entry in entries
        for keep in (True, False)
    ]
    kinds = {"long": (long_request, LONG_ONES), "events": (events, STREAMS), "socket": (websocket, STREAMS)}
    others = [
        asyncio.create_task(again_and_again(one, entry, over, streams[kind]))
        for entry in entries
        for kind, (one, count) in kinds.items()
        for _ in range(count)
    ]
    others += [
        asyncio.create_task(again_and_again(tcp, system.tcp + balancer, over, streams["tcp"]))
        for balancer in range(BALANCERS)
        for _ in range(STREAMS)
    ]
    began = time.monotonic()
    try:
        await act(number)
        took = time.monotonic() - began
        await asyncio.sleep(AFTER)
    finally:
        over.set()
    total = sum(await asyncio.gather(*requests), Report())
    await asyncio.gather(*others)
    kept = {kind: {**asdict(one), "reasons": dict(one.reasons)} for kind, one in streams.items()}
    return {**told(total), "seconds": took, "streams": kept}
