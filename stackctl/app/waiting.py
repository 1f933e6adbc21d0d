"""Waiting for a state that nobody announces: looked at again and again, for so long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from stackctl.errors import Leaderless

T = TypeVar("T")
PACE = 0.05  # seconds between two looks
ELECTION_PACE = 0.3  # the same, where an election has to end first


async def left_after(seconds: float, look: Callable[[], Awaitable[T]]) -> T:
    """What a look still finds when the time is over; something empty as soon as it finds nothing."""
    deadline = time.monotonic() + seconds
    while (found := await look()) and time.monotonic() <= deadline:
        await asyncio.sleep(PACE)
    return found


async def led(look: Callable[[], Awaitable[T]], deadline: float) -> T:
    """What a look finds, taken again while a Swarm's managers elect a leader; raises `Leaderless` when the time (on the
    monotonic clock) is over."""
    while True:
        try:
            return await look()
        except Leaderless:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(ELECTION_PACE)
