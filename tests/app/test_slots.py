"""Two tasks in one slot of a Swarm's service: the service is written once more, and not again and again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from stackctl.app import slots
from stackctl.app.slots import one_task_a_slot
from stackctl.domain.instance import EngineState
from stackctl.domain.swarm import SwarmService
from stackctl.errors import Unreachable
from stackctl.ports import Services
from tests.building import instance

WEB = SwarmService("id", "shop_web", "web", "new", 1, "whoami:2", "rollback_completed", updated="now")
ONE, TWO = (replace(instance(1, digest="new"), id=f"shop_web.1.{task}") for task in "ab")


class Swarm:
    """A manager that tells these tasks, look by look, and then ends the test."""

    def __init__(self, *looks: tuple[Any, ...] | Exception) -> None:
        self.looks = list(looks)
        self.written: list[int] = []

    def services(self) -> list[SwarmService]:
        """The only one."""
        return [WEB]

    def observe(self) -> EngineState:
        """The tasks of the next look."""
        look = self.looks.pop(0) if self.looks else ()
        if isinstance(look, Exception):
            raise look
        return EngineState(look)

    def write_again(self, workload: str) -> None:
        """After which look that was."""
        assert workload == "web"
        self.written.append(len(self.looks))


def written(monkeypatch: pytest.MonkeyPatch, *looks: tuple[Any, ...] | Exception) -> list[int]:
    """How many looks were left whenever the service was written."""
    monkeypatch.setattr(slots, "PACE", 0.0)
    swarm, told = Swarm(*looks), []

    class Telling:
        def step(self, subject: str, message: str) -> None:
            told.append((subject, message))

    async def story() -> None:
        async with one_task_a_slot(cast(Services, swarm), cast(Any, Telling())):
            async with asyncio.timeout(10):
                while swarm.looks:
                    await asyncio.sleep(0)

    asyncio.run(story())
    assert len(told) == len(swarm.written)
    return swarm.written


def test_what_stays_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the second look, and again only where that has not helped for two looks."""
    both = (ONE, TWO)
    assert written(monkeypatch, both, both, (TWO,), (TWO,), (TWO,)) == [3]
    assert written(monkeypatch, both, both, both, both, ()) == [3, 1]


def test_what_passes_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two for the moment of a look are no reason, nor is a manager that does not answer."""
    both = (ONE, TWO)
    silent = Unreachable("engine-lost", "the engine stopped answering")
    assert written(monkeypatch, both, (TWO,), both, (TWO,), ()) == []
    assert written(monkeypatch, both, silent, both, (TWO,), ()) == []
