"""How fast an instance joins and leaves. A round: start one more container, wait until it answers, kill it.

joining: from the engine's State.StartedAt to the first answer of the new instance through the balancer.
leaving: from just before `docker kill` (or pause, or stop) to the moment from which the running config never names it
again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from bench.asking import first_answer
from bench.kills import Kills
from bench.running import address, removed, started
from bench.system import System

PAUSE = 2.5  # between changes: longer than Traefik gathers them (2 s), so that nobody is slowed down by the one before
ENDS = ("pause", "stop")  # besides `kill`; for stackctl alone, because nobody else leaves out who is paused


@dataclass(frozen=True, slots=True)
class Round:
    """The moments of one instance's life, in seconds since the epoch."""

    name: str
    started: float
    answered: float
    killed: float
    signalled: float  # the engine's kill event; of one that was paused, when that was asked for
    gone: float

    @property
    def joining(self) -> float:
        return self.answered - self.started

    @property
    def leaving(self) -> float:
        return self.gone - self.killed


async def turnover(system: System, rounds: int, end: str = "kill") -> list[Round]:
    """The lives of so many instances, one after the other; `end` is what the engine is told to do to each."""
    lives = []
    async with system.watch() as watch, Kills() as kills:
        await asyncio.sleep(PAUSE)
        for number in range(rounds):
            with removed(system.engine.twin(system.project, f"{end}-{number}")) as twin:
                served = asyncio.create_task(first_answer(system.entry, str(twin.id)))
                await asyncio.to_thread(twin.start)
                answered = await served
                began = started(twin)
                await asyncio.sleep(PAUSE)
                before, where = watch.now, address(twin)
                killed = time.time()
                await asyncio.to_thread(getattr(twin, end))
                gone = await watch.changed(since=killed, gone=partial(system.gone, before=before, address=where))
                name = str(twin.name)
                lives.append(Round(name, began, answered, killed, kills.at.get(name, killed), gone))
            await asyncio.sleep(PAUSE)
    return lives
