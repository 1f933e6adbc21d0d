"""What is known of changes between two reads: who was told to go, who may only have been forgotten. No connection."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from stackctl.registry.redis_keys import Member, Row

KEYS = "/"  # no service's name
FRESH = 5.0  # seconds; a service that nobody has read for so long before an outage is not held


class News:
    """Wakes who waits for a service, and keeps a service's members over an outage of the master.

    While there is no master, nobody can say that he still lives: keys run out, and what was written last may be lost
    with the old master. So whoever was there before is held for `grace` seconds after a master is back; by then he has
    written again, or was removed by name, or is gone.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._counts: Counter[str] = Counter()
        self._woken = asyncio.Event()
        self._seen: dict[str, tuple[float, dict[Member, Row]]] = {}
        self._removed: set[Member] = set()
        self._lost_at: float | None = None
        self._hold_until = 0.0

    def heard(self, member: Member | None, event: str) -> None:
        """A key had a keyspace event; None where it is no member's."""
        if event == "expire":  # a sign of life, no change
            return
        if member is None:
            self._wake(KEYS)
        elif event == "del":
            self._removed.add(member)
        elif event == "set":
            self._removed.discard(member)
        if member:
            self._wake(member.service)

    def lost(self, now: float) -> None:
        """There is no connection to a master."""
        if self._lost_at is None:
            self._lost_at = now

    def found(self, now: float) -> None:
        """There is one (again)."""
        if self._lost_at is not None:
            self._hold_until = now + self._grace
            self._removed.clear()
            fresh = self._lost_at - FRESH
            self._seen = {service: seen for service, seen in self._seen.items() if seen[0] >= fresh}
        self._lost_at = None
        self._wake("")

    def merged(self, service: str, rows: Iterable[Row], now: float) -> tuple[Row, ...]:
        """The rows that were read, and those that are held beside them."""
        current = {row.member: row for row in rows}
        if self._lost_at is not None or now < self._hold_until:
            before = self._seen.get(service, (0.0, {}))[1]
            held = {member: row for member, row in before.items() if member not in self._removed}
            current = held | current
        self._seen[service] = (now, current)
        return tuple(current[member] for member in sorted(current))

    def count(self, service: str) -> int:
        """A number that changes with the service; for `wait`. "" changes with every service, KEYS with every key."""
        return self._counts[service]

    async def wait(self, service: str, count: int, seconds: float) -> None:
        """Until the service's number is another one, or that long."""
        try:
            async with asyncio.timeout(seconds):
                while self._counts[service] == count:
                    await self._woken.wait()
        except TimeoutError:
            pass

    def _wake(self, service: str) -> None:
        for name in {service, "", KEYS} if service else {*self._counts, "", KEYS}:
            self._counts[name] += 1
        self._woken.set()
        self._woken = asyncio.Event()
