"""Looking again and again: what is waited for, and what ends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackctl.app.converging import converge
from stackctl.app.observing import Observer
from stackctl.app.updates import settled
from stackctl.app.waiting import led
from stackctl.domain.instance import Endpoint, EngineState
from stackctl.domain.observation import Observation
from stackctl.domain.stack import External
from stackctl.domain.swarm import SwarmService
from stackctl.domain.verdict import Judgement, Verdict
from stackctl.errors import Leaderless, Unreachable
from stackctl.planning.expected import expectation
from stackctl.ports import Services
from tests.building import instance, observation, stack

LEADERLESS = Leaderless("swarm-leaderless", "the Swarm has no leader")


class Seeing:
    """An observer that sees what it is given, one after the other, and the last for ever."""

    def __init__(self, *seen: Observation | Unreachable) -> None:
        self.seen = list(seen)

    async def observe(self) -> Observation:
        """The next one."""
        found = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        if isinstance(found, Unreachable):
            raise found
        return found


def proof(*seen: Observation | Unreachable, patient: bool = True) -> tuple[Verdict, list[Judgement]]:
    judged: list[Judgement] = []
    observer = cast(Observer, Seeing(*seen))
    verdict = converge(
        observer, expectation(stack()), timeout=10, window=0, patient=patient, on_judgement=judged.append
    )
    return asyncio.run(verdict), judged


def test_an_election_in_the_swarm_is_waited_for() -> None:
    """Managers that have no leader for a while are a difference with that reason, and no end of the proof."""
    verdict, judged = proof(LEADERLESS, observation(1))
    assert verdict.outcome == "converged"
    first = judged[0].services[0].divergence
    assert first and (first.layer, first.reason) == ("engine", "the Swarm does not answer: the Swarm has no leader")
    verdict, _ = proof(LEADERLESS, patient=False)
    assert verdict.outcome == "diverged"


def test_an_engine_that_is_gone_ends_it() -> None:
    """Whom nobody can ask is not waited for."""
    with pytest.raises(Unreachable, match="stopped answering"):
        proof(Unreachable("engine-lost", "the engine stopped answering"), observation(1))


def test_what_runs_elsewhere_was_not_looked_at() -> None:
    """During an election nobody says of given endpoints that they are not registered."""
    legacy = External("legacy", (Endpoint("192.0.2.7", 8080),))
    goal = expectation(replace(stack(), external=(legacy,)))
    observer = cast(Observer, Seeing(LEADERLESS))
    verdict = asyncio.run(converge(observer, goal, timeout=10, window=0, patient=False))
    (found,) = [s.divergence for s in verdict.judgement.services if s.name == "legacy"]
    assert found and found.reason == "no consistent answer: the Swarm has no leader"


def test_an_election_in_the_middle_of_an_update() -> None:
    """The update goes on to be watched when it is over."""
    web = SwarmService("id", "shop_web", "web", "new", 1, "whoami:2", "completed", updated="now")
    services: list[Any] = [LEADERLESS, [web]]
    tasks: list[Any] = [LEADERLESS, EngineState((instance(1, digest="new"),))]

    def look(answers: list[Any]) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    engine = SimpleNamespace(services=lambda: look(services), observe=lambda: look(tasks))
    progress = SimpleNamespace(step=lambda *_: None)
    asyncio.run(settled(cast(Services, engine), {"web": "new"}, {}, 10, cast(Any, progress)))
    assert not services and not tasks


def test_an_election_that_does_not_end() -> None:
    """Its error goes on when the time is over."""

    async def look() -> Sequence[str]:
        raise LEADERLESS

    with pytest.raises(Leaderless):
        asyncio.run(led(look, time.monotonic() - 1))
