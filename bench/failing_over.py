"""The address that two balancers share: how long nobody answers at it when its machine, its nginx or its keepalived
goes, and when it comes back; and whether two machines ever have it at once. Machines are the nodes of a lab.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from bench.holding import Holding
from bench.impatient import Asked
from bench.machines import MACHINES, hosts
from bench.ours import Stack
from bench.running import DOCKER, PREFIX, STACKCTL, Engine, Failed, run

PORT = 9080
PATIENCE = 60.0
SETTLED = 1.5  # seconds of undisturbed answers before and after
SPEC = """\
name: {name}
engine: hosts
{hosts}registry:
  consul: {{servers: 3}}
balancer: {{replicas: 2, http: {port}, response_timeout: 2s, virtual_address: {address}}}
services:
  web: {{image: whoami, port: 80, replicas: 3, route: /, check: {{http: /healthz}}}}
"""


class Shared:
    """A stack on a lab of three whose balancers share an address."""

    def __init__(self, engine: Engine, made: Stack, lab: str) -> None:
        self.engine, self.stack, self.lab = engine, made, lab
        self.nodes: dict[str, Container] = {}
        self.address = ""

    async def up(self) -> None:
        """The lab and the stack, proven."""
        await self.laboratory("up", "3")
        containers = {str(c.name): c for c in self.engine.client.containers.list(filters={"label": "stackctl.lab"})}
        self.nodes = {name: containers[f"{self.context}-{n}"] for n, name in enumerate(MACHINES, 1)}
        own = json.loads((await self.laboratory("list", "--format", "json")).strip())["labs"][0]["nodes"][0]["address"]
        self.address = str(ipaddress.IPv4Address(own) - 11 + 100)  # one that the lab gives to nobody
        spec = SPEC.format(name=self.stack.name, hosts=hosts(self.context), port=PORT, address=self.address)
        (self.stack.folder / "stack.yaml").write_text(spec)
        await self.stack.stackctl("up")

    @property
    def context(self) -> str:
        """What the nodes' contexts begin with."""
        return f"stackctl-{self.lab}"

    async def laboratory(self, *words: str) -> str:
        """A `lab` command."""
        return (await run(STACKCTL, "lab", *words, "--name", self.lab)).out

    async def docker(self, node: str, *words: str) -> None:
        """A docker command on a node."""
        await run(DOCKER, "--context", f"{self.context}-{MACHINES.index(node) + 1}", *words)

    async def machine(self, node: str, word: str) -> None:
        """It dies, or comes back."""
        await self.laboratory(word, str(MACHINES.index(node) + 1))

    def part(self, node: str, service: str) -> str:
        """The name of a container."""
        return f"{self.stack.name}-{node}-{service}-1"

    async def whole(self) -> str:
        """Wait until all is proven; the machine that has the address then."""
        await self.stack.stackctl("verify", "--timeout", f"{PATIENCE:g}s")
        status = json.loads((await self.stack.stackctl("status", "--format", "json")).out)
        (holder,) = status["virtual_address"]["holders"]
        return str(holder)


Act = Callable[[Shared, str], Awaitable[None]]
# What is done to the machine that has the address, and what undoes it.
WAYS: dict[str, tuple[Act, Act]] = {
    "the machine dies": (lambda s, n: s.machine(n, "stop"), lambda s, n: s.machine(n, "start")),
    "its nginx is killed": (
        lambda s, n: s.docker(n, "kill", s.part(n, "lb")),
        lambda s, n: s.docker(n, "start", s.part(n, "lb")),
    ),
    "its keepalived is told to end": (
        lambda s, n: s.docker(n, "stop", s.part(n, "vip")),
        lambda s, n: s.docker(n, "start", s.part(n, "vip")),
    ),
    "its keepalived is killed": (
        lambda s, n: s.docker(n, "kill", s.part(n, "vip")),
        lambda s, n: s.docker(n, "start", s.part(n, "vip")),
    ),
}


async def failing_over(engine: Engine, rounds: int, say: Callable[[str], None]) -> dict[str, list[dict[str, Any]]]:
    """For each way and round: the longest gap when it goes and when it is back, and how long two had it each time."""
    found: dict[str, list[dict[str, Any]]] = {}
    async with shared(engine) as made:
        for name, (go, come) in WAYS.items():
            say(f"failing over: {name}")
            for _ in range(rounds):
                holder = await made.whole()
                gone = await _while(made, go, holder, lambda now, was=holder: now not in ("", was))
                back = await _while(made, come, holder, lambda now: now != "", whole=True)
                found.setdefault(name, []).append({"gone": gone, "back": back})
    return found


async def _while(
    made: Shared, act: Act, node: str, moved: Callable[[str], bool], *, whole: bool = False
) -> dict[str, float]:
    """What became of the requests while something was done to a machine, until another one (or one) has the address."""
    over, asked = asyncio.Event(), Asked(made.address, PORT)
    async with Holding(list(made.nodes.values()), made.address) as holding:
        asking = asyncio.create_task(asked.ask(over))
        try:
            await asyncio.sleep(SETTLED)
            await act(made, node)
            await _moved(made, holding, moved)
            if whole:
                await made.whole()
            await asyncio.sleep(SETTLED)
        finally:
            over.set()
            await asking
    return {
        "gap": asked.gap,
        "sent": asked.sent,
        "lost": asked.lost,
        "several": holding.several,
    }


async def _moved(made: Shared, holding: Holding, moved: Callable[[str], bool]) -> None:
    """Wait until the address is where it should be, whoever else still has it."""
    names = {str(container.name): name for name, container in made.nodes.items()}
    deadline = time.monotonic() + PATIENCE
    while not any(moved(names[holder]) for holder in await holding.holders()):
        if time.monotonic() > deadline:
            raise Failed(f"nobody else had {made.address} within {PATIENCE:g} s")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def shared(engine: Engine) -> AsyncIterator[Shared]:
    """The lab and the stack, up; nothing is left of either: a machine that is gone has nothing."""
    folder = Path(tempfile.mkdtemp(prefix="stackctl-bench-"))
    made = Shared(engine, Stack(folder, f"{PREFIX}-vip"), f"{PREFIX}-vip")
    try:
        await made.up()
        yield made
    finally:
        await made.laboratory("down")
        shutil.rmtree(folder, ignore_errors=True)
