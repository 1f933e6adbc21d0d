"""Where the milliseconds of joining and leaving go: the agents' logs and the engine's events, put in order."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from bench.asking import ask_at
from bench.ours import Ours
from bench.running import address, inside, removed, started
from bench.turnover import Round

Steps = dict[str, list[float]]


def steps(system: Ours, lives: Sequence[Round]) -> dict[str, Steps]:
    """Seconds of each step of joining and of leaving, a value for each life; the steps add up to the whole."""
    told = sorted([*_logged(system, "registrator"), *_logged(system, "lb")], key=lambda line: line["at"])
    joining: Steps = {}
    leaving: Steps = {}
    for life in lives:
        registered = _first(told, life.started, "registered", id=life.name)["at"]
        applied = _first(told, life.started, "applied", among=life.name)
        _add(joining, "the app starts; the registrator hears of it, asks it, writes it", life.started, registered)
        begun = applied["at"] - applied["milliseconds"] / 1000
        _add(joining, "Consul's answer to the balancer agent's blocking query", registered, begun)
        _add(joining, "render, `nginx -t`, rename, HUP, until new workers answer", begun, life.answered)
        deregistered = _first(told, life.killed, "deregistered", id=life.name)["at"]
        applied = _first(told, deregistered, "applied", without=life.name)
        begun = applied["at"] - applied["milliseconds"] / 1000
        _add(leaving, "`docker kill` until the engine's kill event", life.killed, life.signalled)
        _add(leaving, "the registrator hears of it and removes it from Consul", life.signalled, deregistered)
        _add(leaving, "Consul's answer to the balancer agent's blocking query", deregistered, begun)
        _add(leaving, "render, `nginx -t`, rename, HUP, until no old worker accepts", begun, life.gone)
    return {"joining": joining, "leaving": leaving}


async def app_start(system: Ours, rounds: int) -> list[float]:
    """Seconds from State.StartedAt until the sample app answers at its own address, with nobody else asking."""
    seconds = []
    for number in range(rounds):
        with removed(system.engine.twin(system.project, number, labelled=False)) as twin:
            await asyncio.to_thread(twin.start)
            began = started(twin)
            where = address(twin)
            while True:
                try:
                    await ask_at(where, 80)
                    break
                except OSError:
                    await asyncio.sleep(0.001)
            seconds.append(time.time() - began)
    return seconds


async def nginx_test(system: Ours, rounds: int) -> list[float]:
    """Seconds of `nginx -t` on the config that runs, timed inside the balancer's container."""
    script = (
        "import subprocess, sys, time\n"
        f"for _ in range({rounds}):\n"
        "    began = time.monotonic()\n"
        "    subprocess.run(['nginx', '-t', '-q', '-c', '/run/stackctl/nginx.conf'], check=True)\n"
        "    print(time.monotonic() - began)\n"
    )
    container = system.engine.of_service(system.project, "lb")
    told = await asyncio.to_thread(inside, container, "python3", "-c", script)
    return [float(line) for line in told.split()]


def _logged(system: Ours, service: str) -> Iterator[dict[str, Any]]:
    for raw in system.engine.of_service(system.project, service).logs(stderr=False).splitlines():
        if raw.startswith(b'{"ts"'):
            line = json.loads(raw)
            yield {**line, "at": datetime.fromisoformat(line["ts"]).timestamp()}


def _first(
    told: Sequence[dict[str, Any]], since: float, event: str, *, id: str = "", among: str = "", without: str = ""
) -> dict[str, Any]:
    for line in told:
        names = {name for ids in line.get("backends", {}).values() for name in ids}
        fits = (not among or among in names) and (not without or without not in names)
        if fits and line["at"] >= since and line["event"] == event and line.get("id", "") == id:
            return line
    raise LookupError(f"no agent logged {event} {id or among or without}")


def _add(to: Steps, step: str, begin: float, end: float) -> None:
    to.setdefault(step, []).append(end - begin)
