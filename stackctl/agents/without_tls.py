"""Runs an agent without Python's TLS library: `python3 -m stackctl.agents.without_tls stackctl.agents.balancer`.

The balancer agent speaks to nobody over TLS, and the library is 7 MB of a process of 36. asyncio, aiohttp and hashlib
do without where it can't be imported; Redis' client does not, so with that registry it stays. Processes that the agent
starts, the probe among them, are as they were.
"""

from __future__ import annotations

import runpy
import sys


def forbid(name: str) -> None:
    """Importing the module raises `ImportError` from now on.

    The rule: https://docs.python.org/3/reference/import.html#the-module-cache
    """
    sys.modules[name] = None  # type: ignore[assignment]


if __name__ == "__main__":
    forbid("_hashlib")  # the same library by another door, and `settings` has hashlib
    from stackctl.agents.settings import known_registry

    if known_registry().kind != "redis":
        forbid("ssl")
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
