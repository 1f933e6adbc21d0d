"""Looking again and again: what is waited for, and what ends it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from stackctl.app.converging import converge
from stackctl.app.observing import Observer
from stackctl.domain.observation import Observation
from stackctl.domain.verdict import Judgement, Verdict
from stackctl.errors import Leaderless, Unreachable
from stackctl.planning.expected import expectation
from tests.building import observation, stack

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
