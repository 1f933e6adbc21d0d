"""What is held over an outage, and who is woken."""

from __future__ import annotations

import asyncio

from stackctl.registry.redis_keys import Member, Row
from stackctl.registry.redis_news import KEYS, News

ROWS = tuple(Row(Member("/work", "webapp", f"10.0.0.{n}"), f"10.0.0.{n}:80") for n in (1, 2, 3))


def news(*, seen_at: float = 9.0) -> News:
    """Three members were read, a master is lost at 10 and found at 12; it holds for 7 seconds."""
    found = News(grace=7.0)
    found.found(0.0)
    assert found.merged("webapp", ROWS, seen_at) == ROWS
    found.lost(10.0)
    found.lost(11.0)
    return found


def test_held_over_an_outage() -> None:
    """Members that a new master does not know are held until they had the time to write again."""
    held = news()
    assert held.merged("webapp", (), 11.5) == ROWS  # a new master answers before it was noticed
    held.found(12.0)
    assert held.merged("webapp", ROWS[:1], 12.1) == ROWS
    assert held.merged("webapp", (), 18.9) == ROWS
    assert held.merged("webapp", ROWS[:1], 19.1) == ROWS[:1]
    assert held.merged("webapp", (), 19.2) == ()


def test_removed_by_name() -> None:
    """Who was removed since the new master was found is not held, and is there again when he writes again."""
    held = news()
    held.found(12.0)
    held.heard(ROWS[0].member, "del")
    assert held.merged("webapp", ROWS[1:], 12.1) == ROWS[1:]
    held.heard(ROWS[0].member, "set")
    assert held.merged("webapp", ROWS, 12.2) == ROWS


def test_nothing_is_held_without_an_outage() -> None:
    """As long as the master is there, what it says is believed at once, expiry too."""
    calm = News(grace=7.0)
    assert calm.merged("webapp", ROWS, 1.0) == ROWS
    calm.heard(ROWS[0].member, "expired")
    assert calm.merged("webapp", ROWS[1:], 2.0) == ROWS[1:]


def test_old_news_are_not_held() -> None:
    """A service that nobody has read for long before the outage may have changed since."""
    held = news(seen_at=1.0)
    held.found(12.0)
    assert held.merged("webapp", (), 12.1) == ()


def test_who_is_woken() -> None:
    """A change wakes who waits for that service or for any, a sign of life nobody, a new master all."""
    heard = News(grace=1.0)

    def counts() -> tuple[int, int, int]:
        return heard.count("webapp"), heard.count("other"), heard.count("")

    before = counts()
    heard.heard(ROWS[0].member, "expire")
    assert counts() == before
    heard.heard(ROWS[0].member, "set")
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 0, 1]
    keys = heard.count(KEYS)
    heard.heard(None, "set")
    assert heard.count(KEYS) == keys + 1
    heard.found(1.0)
    assert heard.count("webapp") == 2

    async def waits() -> None:
        count = heard.count("webapp")
        waiting = asyncio.create_task(heard.wait("webapp", count, 10.0))
        await asyncio.sleep(0)
        heard.heard(ROWS[0].member, "set")
        async with asyncio.timeout(1.0):
            await waiting

    asyncio.run(waits())
