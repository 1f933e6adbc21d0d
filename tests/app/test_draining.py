"""What becomes of drain marks: when the drain comes to its end, when it does not, and when its command was killed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from stackctl.app import draining
from stackctl.app.draining import Victim, drain
from stackctl.app.launching import lift_marks
from stackctl.app.observing import Observer
from stackctl.app.registering import OPERATOR
from stackctl.domain.catalog import Catalog, CatalogEntry
from stackctl.domain.instance import Instance
from stackctl.domain.observation import Observation
from stackctl.domain.plan import Plan
from stackctl.errors import NotConverged, StackctlError
from stackctl.planning.expected import expectation
from stackctl.ports import Progress
from tests.building import backends, entry, instance, observation, stack

QUIET = cast(Progress, SimpleNamespace(step=lambda *_: None, warn=lambda *_: None))
OWNED, BY_API = entry(1), replace(entry(2), owner="")
BUSY = replace(entry(1), draining=True, drain_reason=f"{OPERATOR}new disks")


class Stage:
    """An observer on which every balancer does at once what the marks say, unless it is told otherwise."""

    def __init__(self, *entries: CatalogEntry, seen: Observation | None = None) -> None:
        self.entries = {entry.id: entry for entry in entries}
        self.seen = seen or observation(1, 2)
        self.deaf = False
        self.stop_fails = ""
        self.done: list[str] = []
        self.project = SimpleNamespace(containers=self, goal=lambda: expectation(stack(2)))

    async def observe(self, *, with_traffic: bool) -> Observation:
        catalog = Catalog("web", tuple(self.entries.values()))
        served = [] if not self.deaf and any(e.draining for e in self.entries.values()) else [1, 2]
        (balancer,) = self.seen.balancers
        balancer = replace(balancer, backends=backends(*served), traffic={})
        return replace(self.seen, catalogs={"web": catalog}, balancers=(balancer,))

    async def maintain(self, entry: CatalogEntry, reason: str | None, _: object = None) -> None:
        self.entries[entry.id] = replace(entry, draining=reason is not None, drain_reason=reason or "")

    async def deregister(self, entry: CatalogEntry) -> None:
        self.done.append(f"deregistered {entry.id}")
        del self.entries[entry.id]

    def remove(self, gone: Instance, _: float) -> None:
        if gone.id == self.stop_fails:
            raise StackctlError("remove-failed", "the engine is busy")
        self.done.append(f"stopped {gone.id}")

    @property
    def marks(self) -> dict[str, str]:
        return {id: entry.drain_reason for id, entry in self.entries.items() if entry.draining}

    def drain(self, *numbers: int) -> None:
        victims = [Victim(instance(number), 1.0, "the stack wants less") for number in numbers]
        asyncio.run(drain(cast(Observer, self), victims, QUIET))

    def lift(self) -> None:
        asyncio.run(lift_marks(cast(Observer, self), Plan("shop"), QUIET))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A balancer that does not confirm is not waited for."""
    monkeypatch.setattr(draining, "CONFIRM", 0.0)


def test_who_has_no_registrator_is_deregistered_once_it_stopped() -> None:
    """Only then: while it runs it may write itself again."""
    stage = Stage(OWNED, BY_API)
    stage.drain(1, 2)
    assert sorted(stage.done) == ["deregistered shop-web-2", "stopped shop-web-1", "stopped shop-web-2"]
    assert stage.done.index("stopped shop-web-2") < stage.done.index("deregistered shop-web-2")


def test_marks_are_as_they_were() -> None:
    """Where nothing is stopped, what an operator had drained stays so, for the operator's reason."""
    stage = Stage(BUSY, BY_API)
    stage.deaf = True
    with pytest.raises(NotConverged) as raised:
        stage.drain(1, 2)
    assert raised.value.id == "drain-unconfirmed"
    assert stage.done == [] and stage.marks == {"shop-web-1": BUSY.drain_reason}


def test_one_can_not_be_stopped() -> None:
    """The others are, and it is sent nothing more: it may be on its way out already."""
    stage = Stage(OWNED, BY_API)
    stage.stop_fails = "shop-web-1"
    with pytest.raises(StackctlError, match="the engine is busy"):
        stage.drain(1, 2)
    assert sorted(stage.done) == ["deregistered shop-web-2", "stopped shop-web-2"]
    assert stage.marks == {"shop-web-1": "the stack wants less"}


def test_marks_of_a_command_that_was_killed() -> None:
    """Who runs serves again, what an operator drained does not, and who is gone is not brought back as a ghost."""
    gone = replace(entry(9), owner="", draining=True, drain_reason="the stack wants less")
    left = replace(BY_API, draining=True, drain_reason="the stack wants less")
    stage = Stage(BUSY, left, gone)
    stage.lift()
    assert stage.marks == {"shop-web-1": BUSY.drain_reason}
    assert stage.done == ["deregistered shop-web-9"]
