"""How long a person waits for `stackctl --help`, and their shell for a completion."""

from __future__ import annotations

import sys

from bench.running import STACKCTL, run

COMPLETE = {"_STACKCTL_COMPLETE": "bash_complete", "COMP_WORDS": "stackctl u", "COMP_CWORD": "1"}


async def starting(rounds: int) -> dict[str, list[float]]:
    """Seconds of each, in turns, beside a Python that does nothing."""
    seconds: dict[str, list[float]] = {"stackctl --help": [], "completion of a command": [], "python -c pass": []}
    for _ in range(rounds):
        seconds["stackctl --help"].append((await run(STACKCTL, "--help")).seconds)
        seconds["completion of a command"].append((await run(STACKCTL, env=COMPLETE)).seconds)
        seconds["python -c pass"].append((await run(sys.executable, "-c", "pass")).seconds)
    return seconds
