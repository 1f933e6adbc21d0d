"""How long a mark of maintenance lasts: as long as what it marks, and no longer than that is remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from stackctl.domain.catalog import Registration
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.registry import redis, redis_keys
from stackctl.registry.redis_keys import Member

MEMBER = Member("/work", "web", "10.0.0.1")
ADDRESS, KNOWN, MARK = MEMBER.keys
FOR_GOOD = -1


@dataclass
class Master:
    """A master that holds one registration, and notes what it is told to change."""

    ttl: int
    values: dict[str, str]
    changes: list[tuple[str | int, ...]] = field(default_factory=list)

    async def do(self, work: Callable[[Master], Awaitable[Any]], *, majority: bool = False) -> Any:
        return await work(self)

    async def ask(self, *command: str | int) -> Any:
        match command:
            case "SCAN", *_:
                return 0, [ADDRESS]
            case "MGET", *keys:
                return [self.values.get(str(key)) for key in keys]
            case "PTTL", key:
                assert key == ADDRESS
                return self.ttl
        self.changes.append(command)
        return None


def changed(
    master: Master, monkeypatch: pytest.MonkeyPatch, act: Callable[[redis.Redis], Awaitable[None]]
) -> list[Any]:
    """The one command by which a session changes something."""

    async def story() -> None:
        monkeypatch.setattr(redis, "Master", lambda *_: master)
        await act(redis.Redis(RegistrySettings("redis", ttl=3.0, prefix="/work")))

    asyncio.run(story())
    (command,) = master.changes
    return list(command)


def web(owner: str) -> Registration:
    return Registration("web-1", "web", Endpoint("10.0.0.1", 80), "web-1", owner)


def holding(registration: Registration, ttl: int) -> Master:
    return Master(ttl, dict(zip((ADDRESS, KNOWN), redis_keys.written(registration), strict=True)))


@pytest.mark.parametrize(
    ("master", "id", "lasting"),
    [
        (holding(web("a/registrator"), 2500), "web-1", ["PX", redis.MARK_TTL]),
        (holding(web(""), FOR_GOOD), "web-1", []),
        (Master(FOR_GOOD, {ADDRESS: "10.0.0.1:80"}), "10.0.0.1", []),
        (Master(9000, {ADDRESS: "10.0.0.1:80"}), "10.0.0.1", ["PX", redis.MARK_TTL]),
    ],
    ids=["kept alive", "by API", "foreign, for good", "foreign, with a ttl"],
)
def test_marked(monkeypatch: pytest.MonkeyPatch, master: Master, id: str, lasting: list[str | int]) -> None:
    """A mark runs out only where what it marks would; else it stays until somebody takes it away."""
    verb, key, text, *rest = changed(master, monkeypatch, lambda session: session.maintain(id, "a reason"))
    assert (verb, key, json.loads(text)["id"], rest) == ("SET", MARK, id, lasting)


@pytest.mark.parametrize(
    ("owner", "ttls"), [("a/registrator", [3000, redis.MARK_TTL]), ("", [0, 0])], ids=["kept alive", "by API"]
)
def test_written_again(monkeypatch: pytest.MonkeyPatch, owner: str, ttls: list[int]) -> None:
    """Writing a registration again keeps its mark for as long as before: for good, where it is written for good."""
    master = holding(web(owner), FOR_GOOD)
    command = changed(master, monkeypatch, lambda session: session.register(web(owner)))
    assert command[:6] == ["EVAL", redis.WRITE, 3, ADDRESS, KNOWN, MARK]
    assert command[-2:] == ttls


def test_deregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a registration goes its mark, whoever wrote it and for how long."""
    command = changed(holding(web(""), FOR_GOOD), monkeypatch, lambda session: session.deregister("web-1"))
    assert command == ["EVAL", redis.REMOVE, 3, ADDRESS, KNOWN, MARK, "web-1"]
    assert "redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])" in redis.REMOVE
