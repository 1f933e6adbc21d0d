"""When a series of judgements becomes a verdict: agreement must hold, and so must disagreement. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackctl.domain.verdict import Judgement, Verdict


@dataclass(frozen=True, slots=True)
class Settling:
    """A run of judgements. Times are monotonic seconds; `patient` waits for agreement until the deadline instead of
    taking a disagreement that held for the window as the answer."""

    started: float
    window: float
    deadline: float
    patient: bool
    since: float | None = None
    last: Judgement | None = None
    parted: bool = False
    differed: bool = False


def settle(state: Settling, judgement: Judgement, now: float) -> tuple[Settling, Verdict | None]:
    """Take one more judgement, made at `judgement.at` and complete at `now`; a verdict as soon as there is one."""
    same = state.last is not None and state.since is not None and _key(judgement) == _key(state.last)
    since = state.since if same and state.since is not None else judgement.at
    parted = state.parted or (state.last is not None and state.last.agrees and not judgement.agrees)
    state = replace(state, since=since, last=judgement, parted=parted, differed=state.differed or not judgement.agrees)
    held, elapsed = judgement.at - since, now - state.started
    if held >= state.window and (same or state.window == 0):
        if judgement.agrees:
            after = since - state.started if state.differed else None
            return state, Verdict("converged", judgement, held, elapsed, after=after)
        # Waiting helps nobody where every difference is one that lasts.
        if not state.patient or all(divergence.lasting for _, divergence in judgement.divergences):
            return state, Verdict("diverged", judgement, held, elapsed)
    if now < state.deadline:
        return state, None
    if parted:
        return state, Verdict("unstable", judgement, held, elapsed, "the layers agreed and parted again")
    if judgement.agrees:
        reason = f"the layers agree, for {held:.1f} of the {state.window:.1f} s that are asked for"
        return state, Verdict("timeout", judgement, held, elapsed, reason)
    if held < state.window:
        return state, Verdict("unstable", judgement, held, elapsed, "what differs keeps changing")
    return state, Verdict("diverged", judgement, held, elapsed)


def _key(judgement: Judgement) -> tuple[object, ...]:
    """Two judgements are the same when they agree about the same instances, or differ in the same way."""
    if judgement.agrees:
        return (judgement.revision, tuple(service.engine for service in judgement.services))
    return tuple((name, d.layer, d.missing, d.extra) for name, d in judgement.divergences)
