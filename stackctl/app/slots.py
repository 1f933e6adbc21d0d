"""Slots of a Swarm's services that have kept two tasks, and nobody who ends one of them.

A task that is started again in the moment in which its service is rolled back leaves two in its slot
(https://github.com/moby/moby/issues/41804). The Swarm counts slots, has as many as are wanted, and looks at the tasks
in them only when somebody writes the service.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stackctl.errors import StackctlError
from stackctl.ports import Progress, Services
from stackctl.verifying.updated import doubled

PACE = 1.0  # seconds between two looks; what both of them see is no passing state


@asynccontextmanager
async def one_task_a_slot(engine: Services, progress: Progress) -> AsyncIterator[None]:
    """Meanwhile services with a slot that has kept two tasks are written once more, as they are."""
    watching = asyncio.create_task(_watch(engine, progress))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _watch(engine: Services, progress: Progress) -> None:
    before: frozenset[str] = frozenset()
    while True:
        await asyncio.sleep(PACE)
        try:
            now = await asyncio.to_thread(_doubled, engine)
            for workload in sorted(now & before):
                progress.step(workload, "a slot has kept two tasks: telling the Swarm once more")
                await asyncio.to_thread(engine.write_again, workload)
        except StackctlError:  # whoever waits for the services meets it too, and says so
            now = frozenset()
        before = now - before


def _doubled(engine: Services) -> frozenset[str]:
    services, tasks = engine.services(), engine.observe()
    return frozenset(s.workload for s in services if doubled(s, tasks.of(s.workload)))
