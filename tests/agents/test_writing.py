"""What is written to the registry when wishes about one id come faster than it takes them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stackctl.agents.loop import Log
from stackctl.agents.registration_events import Deregister, Mark, Marked, Register
from stackctl.agents.writing import Writing
from stackctl.domain.catalog import Registration
from stackctl.domain.instance import Endpoint
from stackctl.errors import StackctlError, Unreachable
from stackctl.registry.memory import Memory

WEB = Registration("web-1", "web", Endpoint("192.0.2.1", 80), "c1", "shop/host-1")
MOVED = Registration("web-1", "web", Endpoint("192.0.2.2", 80), "c1", "shop/host-1")
OTHER = Registration("web-2", "web", Endpoint("192.0.2.3", 80), "c2", "shop/host-1")


class Slow(Memory):
    """A registry that writes when it is let to, and keeps what it was asked for, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []
        self.let = asyncio.Event()
        self.failure: StackctlError | None = None

    async def _write(self, what: object) -> None:
        self.asked.append(what)
        await self.let.wait()
        if self.failure:
            raise self.failure

    async def register(self, registration: Registration) -> None:
        await self._write(registration)
        await super().register(registration)

    async def deregister(self, id: str) -> None:
        await self._write(id)
        await super().deregister(id)


class Desk:
    """A `Writing` with what it told."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.registry = Slow()
        self.marked: list[Marked] = []
        self.lost: list[Unreachable] = []
        self.refused = 0
        self.writing = Writing(
            self.registry,
            tasks,
            Log("registrator", io.StringIO()),
            on_marked=self.marked.append,
            on_lost=self.lost.append,
            on_refused=self._refused,
        )

    def _refused(self) -> None:
        self.refused += 1

    async def begun(self, count: int) -> None:
        """So many writes have begun."""
        async with asyncio.timeout(5):
            while len(self.registry.asked) < count:
                await asyncio.sleep(0)


def play(story: Callable[[Desk], Awaitable[None]], then: Callable[[Desk], None]) -> None:
    """A story, and what holds when nothing is left to write."""

    async def played() -> Desk:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            desk = Desk(tasks)
            await story(desk)
            desk.registry.let.set()
        return desk

    then(asyncio.run(played()))


def test_latest_wish_is_the_last() -> None:
    """Of the wishes that come while one is carried out the latest alone is, after it and never beside it."""

    async def story(desk: Desk) -> None:
        desk.writing.write("web-1", Register(WEB))
        await desk.begun(1)
        desk.writing.write("web-1", Deregister("web-1"))
        desk.writing.write("web-1", Register(MOVED))
        await asyncio.sleep(0)
        assert desk.registry.asked == [WEB]

    def then(desk: Desk) -> None:
        assert desk.registry.asked == [WEB, MOVED]
        assert list(desk.registry._held.values()) == [MOVED]

    play(story, then)


def test_ids_do_not_wait_for_each_other() -> None:
    """A write that hangs holds up its own id alone."""

    async def story(desk: Desk) -> None:
        desk.writing.write("web-1", Register(WEB))
        desk.writing.write("web-2", Register(OTHER))
        await desk.begun(2)

    play(story, lambda desk: None)


def test_disturbed() -> None:
    """What the registry's agent held says nothing of ids that were being written when it was asked, or since."""

    async def story(desk: Desk) -> None:
        desk.writing.write("web-1", Register(WEB))
        await desk.begun(1)
        desk.writing.reading()
        assert desk.writing.disturbed == {"web-1"}
        desk.writing.write("web-2", Register(OTHER))
        assert desk.writing.disturbed == {"web-1", "web-2"}

    def then(desk: Desk) -> None:
        assert desk.writing.disturbed == {"web-1", "web-2"}
        desk.writing.reading()
        assert desk.writing.disturbed == frozenset()

    play(story, then)


def test_marked_is_told_when_it_is() -> None:
    """A mark is told when the registry has it."""

    async def story(desk: Desk) -> None:
        desk.registry.let.set()
        desk.writing.write("web-1", Register(WEB))
        await desk.begun(1)
        desk.writing.write("web-1", Mark("web-1"))

    play(story, lambda desk: pytest.fail("nobody was told") if [m.id for m in desk.marked] != ["web-1"] else None)


@pytest.mark.parametrize(
    ("failure", "lost", "refused"),
    [(Unreachable("gone", "nobody answers"), 1, 0), (StackctlError("no", "never"), 0, 1)],
    ids=["unreachable", "refused"],
)
def test_failure(failure: StackctlError, lost: int, refused: int) -> None:
    """A registry that is away is lost, one that says no refused; wishes that waited end too, later ones are tried."""

    async def story(desk: Desk) -> None:
        desk.registry.failure = failure
        desk.writing.write("web-1", Register(WEB))
        await desk.begun(1)
        desk.writing.write("web-1", Register(MOVED))
        desk.registry.let.set()
        async with asyncio.timeout(5):
            while not (desk.lost or desk.refused):
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        desk.registry.failure = None
        desk.writing.write("web-1", Register(MOVED))

    def then(desk: Desk) -> None:
        assert (len(desk.lost), desk.refused) == (lost, refused)
        assert desk.registry.asked == [WEB, MOVED]

    play(story, then)
