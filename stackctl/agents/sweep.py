"""Remove a stack's volumes on this node: `python3 -m stackctl.agents.sweep STACK`, once on every node of a Swarm.

A manager knows of no volumes: they lie on the nodes, and only a node's own engine can remove them.
"""

from __future__ import annotations

import asyncio
import sys

from stackctl.agents.loop import Backoff, Log
from stackctl.domain.wishes import STACK_LABEL
from stackctl.engine.events import EngineSocket

PATIENCE = 30.0  # seconds until containers that still have one are gone
log = Log("sweep")


async def sweep(stack: str) -> None:
    """Until none is left; raises `TimeoutError` where one stays in use, and `Unreachable` without an engine."""
    backoff = Backoff(last=0.5)
    async with EngineSocket() as engine, asyncio.timeout(PATIENCE):
        while left := await engine.volumes({STACK_LABEL: stack}):
            for name in left:
                if await engine.remove_volume(name):
                    log("removed", volume=name)
            await backoff.wait()


if __name__ == "__main__":
    asyncio.run(sweep(sys.argv[1]))
