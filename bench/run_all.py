"""The order of a run: every system is made once, measured, and removed before the next one is made."""

from __future__ import annotations

from collections.abc import Callable, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any

from bench import leader as leaders
from bench.config_size import config_size
from bench.endurance import endurance
from bench.failing_over import failing_over
from bench.losing import WAYS, losing
from bench.memory import memory
from bench.ours import Ours, ours, stack
from bench.peers.consul_template import ConsulTemplate, consul_template
from bench.peers.static_nginx import StaticNginx, static_nginx
from bench.peers.traefik import Traefik, traefik
from bench.proving import proving
from bench.running import Engine, Failed, Missing
from bench.scaling import scaling
from bench.starting import starting
from bench.steps import app_start, nginx_test, steps
from bench.system import System
from bench.turnover import ENDS, turnover
from bench.up_time import up_time

OF_SYSTEMS = {"turnover", *WAYS, "memory"}
Say = Callable[[str], None]
Measured = dict[str, Any]


async def measure(engine: Engine, into: Measured, rounds: int, names: Set[str], *, peers: bool, say: Say) -> None:
    """Everything that `names` name; `into` is filled as it becomes known."""
    if "starting" in names:
        say("starting")
        into["starting"] = await starting(rounds)
    if names & {*OF_SYSTEMS, "proving"}:
        await _systems(engine, into, rounds, names, peers=peers, say=say)
    if "leader" in names:
        await _leader(engine, into, rounds, peers=peers, say=say)
    if "up" in names:
        say("up")
        into["up"] = await up_time(engine, rounds)
    if "size" in names:
        say("size")
        into["size"] = await config_size(rounds)
    if "scaling" in names:
        await scaling(engine, rounds, into.setdefault("scaling", {}), say)
    if "endurance" in names:
        await endurance(engine, rounds, into.setdefault("endurance", []), say)
    if "entry" in names:
        into["entry"] = await failing_over(engine, rounds, say)


async def _systems(engine: Engine, into: Measured, rounds: int, names: Set[str], *, peers: bool, say: Say) -> None:
    async with ours(engine) as system:
        images = {s: engine.of_service(system.project, s).attrs["Config"]["Image"] for s in ("web", "lb")}
        await _system(system, into, rounds, names, say)
        if "turnover" in names:
            into["turnover"]["steps"]["app"] = await app_start(system, rounds)
            into["turnover"]["steps"]["nginx -t"] = await nginx_test(system, rounds)
        if "proving" in names:
            say("proving")
            into["proving"] = await proving(system, rounds)
    if not peers or not names & OF_SYSTEMS:
        return
    await _peer(traefik(engine, images["web"]), Traefik.name, into, rounds, names, say=say)
    await _peer(consul_template(engine), ConsulTemplate.name, into, rounds, names, say=say)
    if names & WAYS.keys():
        made = static_nginx(engine, images["web"], images["lb"])
        await _peer(made, StaticNginx.name, into, rounds, names & WAYS.keys(), say=say)


async def _peer(
    made: AbstractAsyncContextManager[System], name: str, into: Measured, rounds: int, names: Set[str], *, say: Say
) -> None:
    try:
        async with made as system:
            await _system(system, into, rounds, names, say)
    except (Missing, Failed) as error:
        say(f"{name}: {error}")
        for kind in OF_SYSTEMS & set(names):
            into.setdefault(kind, {}).setdefault(name, {"missing": str(error).partition("\n")[0][:160]})


async def _system(system: System, into: Measured, rounds: int, names: Set[str], say: Say) -> None:
    if "turnover" in names:
        say(f"turnover: {system.name}")
        lives = await turnover(system, rounds)
        found = into.setdefault("turnover", {})
        found[system.name] = {
            "joining": [life.joining for life in lives],
            "leaving": [life.leaving for life in lives],
            "config": system.leaves,
            "lives": [asdict(life) for life in lives],
        }
        if isinstance(system, Ours):
            found["steps"] = steps(system, lives)
            found["ways"] = {}
            for way in ENDS:
                say(f"leaving by {way}: {system.name}")
                found["ways"][way] = [life.leaving for life in await turnover(system, rounds, way)]
    for way in (way for way in WAYS if way in names):
        found = into.setdefault(way, {}).setdefault(system.name, {})
        for kind, keep in (("keep-alive", True), ("fresh", False)):
            say(f"{way}, {kind}: {system.name}")
            found[kind] = await losing(system, rounds, way, keep=keep)
    if "memory" in names and system.parts:
        into.setdefault("memory", {})[system.name] = memory(system)


async def _leader(engine: Engine, into: Measured, rounds: int, *, peers: bool, say: Say) -> None:
    found = into.setdefault("leader", {})
    say(f"leader: {leaders.OURS}")
    async with stack("leader") as made:
        await made.stackctl("up")
        found[leaders.OURS] = await leaders.leader(engine, made, rounds)
    if peers:
        say(f"leader: {leaders.DEFAULT}")
        async with leaders.default_timing() as made:
            found[leaders.DEFAULT] = await leaders.leader(engine, made, rounds)
