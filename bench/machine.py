"""The machine that was measured on, in a few words, and whether it was left alone."""

from __future__ import annotations

import os
import platform

from bench.running import DOCKER, Engine, run


async def machine(engine: Engine) -> dict[str, str]:
    """What a reader needs to know to compare."""
    version = engine.client.version()
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{int(engine.client.info()['MemTotal']) / 2**30:.0f} GiB",
        "kernel": platform.release().partition("-")[0],
        "Docker": str(version["Version"]).partition("+")[0],
        "Compose": (await run(DOCKER, "compose", "version", "--short")).out.strip(),
        "Python": platform.python_version(),
    }


def load() -> str:
    """The machine's load averages now; above 1 before a measurement, somebody else was working."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())
