"""Impatient clients of one address: fresh connections, at a steady rate whatever becomes of the others."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import pairwise

from bench.asking import ask_at

RATE = 50  # requests a second
PATIENCE = 0.5  # seconds, after which a client gives up


@dataclass
class Asked:
    """What became of the requests; `answered` are the moments in which those that were answered began, `last` is when
    the last one of all did."""

    host: str
    port: int
    sent: int = 0
    answered: list[float] = field(default_factory=list)
    last: float = 0.0

    @property
    def gap(self) -> float:
        """The longest time in which no request that began was answered, at the end too."""
        moments = [*sorted(self.answered), max(self.answered, default=0.0), self.last]
        return max(late - early for early, late in pairwise(moments))

    @property
    def lost(self) -> int:
        """How many were not."""
        return self.sent - len(self.answered)

    async def ask(self, over: asyncio.Event) -> None:
        """Until told to end; then the last ones are waited for."""
        began, asking = time.monotonic(), set[asyncio.Task[None]]()
        while not over.is_set():
            await asyncio.sleep(max(0.0, began + self.sent / RATE - time.monotonic()))
            self.sent += 1
            task = asyncio.create_task(self._one())
            asking.add(task)
            task.add_done_callback(asking.discard)
        await asyncio.gather(*asking)

    async def _one(self) -> None:
        began = self.last = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                page = await ask_at(self.host, self.port)
        except (OSError, TimeoutError):
            return
        if page.startswith("HTTP/1.1 200"):
            self.answered.append(began)
