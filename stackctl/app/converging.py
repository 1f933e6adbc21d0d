"""Watch a stack until its layers agree for long enough, or the time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from stackctl.app.observing import Observer
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import Observation
from stackctl.domain.verdict import Expectation, Judgement, Verdict
from stackctl.errors import Leaderless, NotConverged
from stackctl.verifying.judge import judge
from stackctl.verifying.settle import Settling, settle

PACE = 0.1  # seconds between two looks: what is looked at is a state that nobody announces to the outside


async def converge(
    observer: Observer,
    expectation: Expectation,
    *,
    timeout: float,
    window: float,
    patient: bool,
    on_judgement: Callable[[Judgement], None] = lambda _: None,
    on_observation: Callable[[Observation], None] = lambda _: None,
) -> Verdict:
    """The verdict about a stack: agreement that held for `window` seconds, or what differed.

    A patient caller waits `timeout` seconds for agreement; another one takes a difference that held as the answer.
    `on_observation` may raise, where what it sees is not worth waiting for.
    Raises `NotConverged` (`nothing-observed`) where not one observation was complete in time.
    """
    started = time.monotonic()
    state = Settling(started, window, started + timeout, patient)
    while True:
        try:
            async with asyncio.timeout(max(state.deadline - time.monotonic(), 0.0) + window):
                observation = await _observed(observer)
        except TimeoutError:
            if state.last is None:
                message = f"not one observation was complete within {timeout:g} s"
                raise NotConverged(
                    "nothing-observed", message, hint="give --timeout more, or see stackctl status"
                ) from None
            elapsed = time.monotonic() - started
            return Verdict("timeout", state.last, 0.0, elapsed, "the last observation was not complete in time")
        on_observation(observation)
        judgement = judge(expectation, observation)
        on_judgement(judgement)
        state, verdict = settle(state, judgement, time.monotonic())
        if verdict:
            return verdict
        await asyncio.sleep(_pause(state, judgement, window))


async def _observed(observer: Observer) -> Observation:
    """Every layer now. Managers of a Swarm without a leader, which pass, are a difference like a machine's silence."""
    at = time.monotonic()
    try:
        return await observer.observe()
    except Leaderless as error:
        return Observation(at, EngineState((), unreachable={"the Swarm": error.message}), registry_lost=error.message)


def _pause(state: Settling, judgement: Judgement, window: float) -> float:
    """While the layers agree a few looks are enough, the last as the window ends: each is traffic for the services."""
    if not judgement.agrees or state.since is None:
        return PACE
    left = state.since + window - time.monotonic()
    return min(max(PACE, window / 4), left) if left > 0 else PACE
