"""How fast an instance joins and leaves. A round: start one more container, wait until it answers, kill it.

joining: from the engine's State.StartedAt to the first answer of the new instance through the balancer.
leaving: from just before `docker kill` to the moment from which the running config never names it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bench.asking import first_answer
from bench.running import address, removed, started
from bench.system import System

PAUSE = 1.0  # between changes; reloads may follow each other faster than this


async def turnover(
    system: System, rounds: int, note: Callable[[int, float, float, str], None] = lambda *_: None
) -> dict[str, list[float]]:
    """Seconds of joining and leaving, a value for each round. `note` gets (round, kill at, gone at, container's id)."""
    joining, leaving = [], []
    async with system.watch() as watch:
        await asyncio.sleep(PAUSE)
        for number in range(rounds):
            with removed(system.engine.twin(system.project, number)) as twin:
                served = asyncio.create_task(first_answer(system.entry, str(twin.id)))
                await asyncio.sleep(0)
                await asyncio.to_thread(twin.start)
                at = await served
                joining.append(at - started(twin))
                await asyncio.sleep(PAUSE)
                before, where = watch.now, address(twin)
                killed = time.time()
                await asyncio.to_thread(twin.kill)
                gone = await watch.changed(
                    since=killed, gone=lambda seen, b=before, w=where: system.gone(seen, b, w)
                )
                leaving.append(gone - killed)
                note(number, at, killed, gone, str(twin.name))
            await asyncio.sleep(PAUSE)
    return {"joining": joining, "leaving": leaving}
