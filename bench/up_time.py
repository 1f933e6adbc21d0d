"""`stackctl up` beside `docker compose up -d --wait` on the very same rendered files, in turns, images present."""

from __future__ import annotations

from bench.ours import stack


async def up_time(rounds: int) -> dict[str, list[float]]:
    """Seconds of each command, a value for each round: from nothing (volumes removed), and when all is up already."""
    seconds: dict[str, list[float]] = {
        "stackctl": [],
        "stackctl, nothing to do": [],
        "compose": [],
        "compose, nothing to do": [],
    }
    async with stack("up") as made:
        await made.stackctl("up")  # builds the images that are missing, outside of what is measured
        await made.stackctl("down", "--volumes")
        for _ in range(rounds):
            seconds["stackctl"].append((await made.stackctl("up")).seconds)
            seconds["stackctl, nothing to do"].append((await made.stackctl("up")).seconds)
            await made.stackctl("down", "--volumes")
            await made.render()
            try:
                seconds["compose"].append((await made.compose("up", "--detach", "--wait")).seconds)
                seconds["compose, nothing to do"].append((await made.compose("up", "--detach", "--wait")).seconds)
            finally:
                await made.compose("down", "--volumes")
    return seconds
