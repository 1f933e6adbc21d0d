"""Whether a Swarm has carried out an update, from what it says of the service and of its tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.domain.swarm import SwarmService, UpdateState
from stackctl.verifying.updated import Update, doubled, updated
from tests.building import instance

WEB = SwarmService("id", "shop_web", "web", "new", 2, "whoami:2", updated="now")
BEFORE = "a while ago"


@pytest.mark.parametrize(
    ("state", "digests", "over"),
    [
        ("completed", ("new", "old"), False),
        ("updating", ("new", "new"), False),  # the last one is still watched
        ("completed", ("new", "new"), True),
        ("", (), True),  # without tasks there is nothing to update
    ],
)
def test_under_way_and_over(state: UpdateState, digests: tuple[str, ...], over: bool) -> None:
    """It is over when the Swarm works on it no more and every task is of the new definition."""
    tasks = [instance(number, digest=digest) for number, digest in enumerate(digests)]
    assert updated("new", replace(WEB, update=state), tasks, BEFORE) == Update(over=over)


@pytest.mark.parametrize("state", ["completed", "paused", "rollback_completed"])
def test_the_one_before(state: UpdateState) -> None:
    """Until the Swarm begins, what it tells is about the update before this one."""
    waiting = replace(WEB, update=state, updated=BEFORE)
    assert updated("new", waiting, [instance(1, digest="old")], BEFORE) == Update()
    assert updated("new", waiting, [instance(1, digest="new")], BEFORE) == Update()


def test_rolled_back() -> None:
    """A service that is what it was before again was rolled back; until that is through, nothing is said."""
    back = replace(WEB, digest="old", update="rollback_started")
    assert not updated("new", back, (), BEFORE).failed
    done = updated("new", replace(back, update="rollback_completed", message="rollback completed"), (), BEFORE)
    assert (done.failed, done.reason) == (True, "the Swarm rolled it back (rollback completed)")


def test_stopped_half_way() -> None:
    """An update that the Swarm paused has failed as well."""
    assert updated("new", replace(WEB, update="paused", message="update paused"), (), BEFORE).failed


def test_two_tasks_in_a_slot() -> None:
    """Two that the Swarm wants are one too many, once it works on the service no more."""
    first, second = (replace(instance(1, digest="new"), id=f"shop_web.1.{task}") for task in "ab")
    other = replace(first, id="shop_web.2.c")
    back = replace(WEB, update="rollback_completed")
    assert doubled(back, (first, second, other))
    assert not doubled(back, (first, other))
    assert not doubled(replace(WEB, update="updating"), (first, second))
    for passing in (replace(second, state="removing"), replace(second, digest="old"), replace(second, state="created")):
        assert not doubled(back, (first, passing))
