"""Waiting for a state that nobody announces: looked at again and again, for so long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PACE = 0.05  # seconds between two looks


async def left_after(seconds: float, look: Callable[[], Awaitable[T]]) -> T:
    """What a look still finds when the time is over; something empty as soon as it finds nothing."""
    deadline = time.monotonic() + seconds
    while (found := await look()) and time.monotonic() <= deadline:
        await asyncio.sleep(PACE)
    return found
