"""Ten instances on three machines become sixty and ten again: how long that takes, and in how much memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bench.machines import Spread, machines, spread
from bench.running import Engine, Failed

ENGINES = ("hosts", "swarm")
FEW, MANY = 10, 60
SHORTER = 5  # a round takes minutes
STEPS = (
    (f"`up`, {FEW} instances", ("up",)),
    (f"`verify`, {FEW}", ("verify",)),
    (f"`scale` {FEW} → {MANY}", ("scale", f"web={MANY}")),
    (f"`verify`, {MANY}", ("verify",)),
    (f"`scale` {MANY} → {FEW}", ("scale", f"web={FEW}")),
)
# Of these processes the largest one of all machines is told; words of the command line.
PARTS = {
    "Consul server": ("consul", "consul agent"),
    "registrator": ("registrator", "stackctl.agents.registrator"),
    "balancer agent": ("balancer", "stackctl.agents.balancer"),
    "nginx (master and workers, shared pages counted in each)": ("balancer", "nginx:"),
}


async def scaling(engine: Engine, rounds: int, into: dict[str, Any], say: Callable[[str], None]) -> None:
    """For each engine: of each step the seconds, stackctl's most memory and the balancers' reloads, a value for each
    round, and the memory of the stack's own processes while there are most instances."""
    async with machines() as lab:
        for kind in ENGINES:
            found = into.setdefault(kind, {"steps": {}, "memory": {}})
            for number in range(max(1, rounds // SHORTER)):
                async with spread(kind, lab, FEW) as made:
                    if not number:
                        await made.stackctl("up", "--no-wait")  # images are made and sent outside of what is measured
                        await made.stackctl("down", "--volumes")
                    await _one(engine, made, found, lambda what, kind=kind: say(f"scaling, {kind}: {what}"))


async def _one(engine: Engine, made: Spread, found: dict[str, Any], say: Callable[[str], None]) -> None:
    for what, words in STEPS:
        say(what)
        before = reloads(made)
        done = await made.stackctl(*words)
        values = {"seconds": done.seconds, "peak": done.peak, "reloads": reloads(made) - before}
        found["steps"].setdefault(what, []).append(values)
        if words == ("verify",) and str(MANY) in what:
            found["memory"] = await asyncio.to_thread(memory, engine, made)


def reloads(made: Spread) -> int:
    """How often balancers have swapped their config, the one that did most."""
    logs = (lb.logs(stderr=False) for lb in made.containers("balancer"))
    return max((log.count(b'"event": "applied"') for log in logs), default=0)


def memory(engine: Engine, made: Spread) -> dict[str, int]:
    """VmRSS in bytes by part; of several machines' the largest."""
    found = {}
    for name, (role, words) in PARTS.items():
        sizes = [
            sum(size for command, size in engine.resident(container).items() if words in command)
            for container in made.containers(role)
        ]
        if not any(sizes):
            raise Failed(f"no {role} has a process that is called {words}")
        found[name] = max(sizes)
    return found
