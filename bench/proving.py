"""How long `stackctl verify` takes for three instances; its window of stability is one second of it."""

from __future__ import annotations

from bench.ours import Ours


async def proving(system: Ours, rounds: int) -> list[float]:
    """Seconds of `verify`, a value for each round."""
    await system.scale(3)
    seconds = [(await system.stack.stackctl("verify")).seconds for _ in range(rounds)]
    await system.scale(1)
    return seconds
