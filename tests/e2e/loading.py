"""A steady load on an entry while something is done: kept and fresh connections, half GET, half POST."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bench.load import Report, load
from tests.e2e.scenario import Scenario


def loaded(scenario: Scenario, act: Callable[[], object], *, rate: float = 150.0) -> Report:
    """What became of the requests to a scenario's entry, of both kinds of client together."""
    return loaded_at("127.0.0.1", scenario.port, act, rate=rate)


def loaded_at(host: str, port: int, act: Callable[[], object], *, rate: float = 150.0) -> Report:
    """The same for an entry on any machine."""

    async def all_of_it() -> Report:
        done = asyncio.Event()
        kinds = [
            asyncio.create_task(load(port, done, rate=rate / 2, clients=8, keep=keep, host=host))
            for keep in (True, False)
        ]
        try:
            await asyncio.to_thread(act)
        finally:
            done.set()
        kept, fresh = await asyncio.gather(*kinds)
        return kept + fresh

    return asyncio.run(all_of_it())
