"""`stackctl up` beside `docker compose up -d --wait` on the very same rendered files, in turns, images present."""

from __future__ import annotations

import time

from bench.asking import first_answer
from bench.ours import stack
from bench.running import Engine


async def up_time(engine: Engine, rounds: int) -> dict[str, list[float]]:
    """Seconds of each command, a value for each round: from nothing (volumes removed), and when all is up already."""
    seconds: dict[str, list[float]] = {
        "stackctl": [],
        "stackctl, nothing to do": [],
        "compose": [],
        "compose, until the page is served": [],
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
                began = time.monotonic()
                seconds["compose"].append((await made.compose("up", "--detach", "--wait")).seconds)
                web = engine.of_service(made.name, "web")
                await first_answer(made.entry, str(web.id))
                seconds["compose, until the page is served"].append(time.monotonic() - began)
                seconds["compose, nothing to do"].append((await made.compose("up", "--detach", "--wait")).seconds)
            finally:
                await made.compose("down", "--volumes")
    return seconds
