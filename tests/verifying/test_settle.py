"""A verdict needs agreement or disagreement that holds; whatever flickers is unstable."""

from __future__ import annotations

from stackctl.domain.verdict import Divergence, Judgement, ServiceVerdict, Verdict
from stackctl.verifying.settle import Settling, settle


def judgement(at: float, missing: str = "", revision: str = "r") -> Judgement:
    divergence = Divergence("registry", (missing,)) if missing else None
    return Judgement(at, revision, (ServiceVerdict("web", ("a",), engine=("a",), divergence=divergence),))


def play(*judgements: Judgement, patient: bool = True, deadline: float = 10.0) -> Verdict | None:
    state, verdict = Settling(0.0, 1.0, deadline, patient), None
    for one in judgements:
        state, verdict = settle(state, one, one.at)
        if verdict:
            return verdict
    return verdict


def test_agreement_must_hold() -> None:
    """One look is not enough; two that are a window apart are."""
    assert play(judgement(0.0)) is None
    assert play(judgement(0.0), judgement(0.9)) is None
    verdict = play(judgement(0.0), judgement(0.5), judgement(1.1))
    assert verdict is not None
    assert (verdict.outcome, verdict.stable_for) == ("converged", 1.1)


def test_when_it_came_to_agree() -> None:
    """A stack that converged while it was looked at says after how long; one that had does not."""
    had = play(judgement(0.0), judgement(1.0))
    came = play(judgement(0.0, "a"), judgement(2.5), judgement(3.5))
    assert had is not None and had.after is None
    assert came is not None and (came.after, came.elapsed) == (2.5, 3.5)


def test_a_new_revision_starts_the_window_again() -> None:
    """Agreement under another revision is another agreement."""
    assert play(judgement(0.0), judgement(0.8, revision="s"), judgement(1.2, revision="s")) is None


def test_impatient() -> None:
    """Who asks about now hears of a difference as soon as it held."""
    verdict = play(judgement(0.0, "a"), judgement(1.0, "a"), patient=False)
    assert verdict is not None
    assert verdict.outcome == "diverged"


def test_patient() -> None:
    """Who waits hears of the difference at the deadline only."""
    looks = [judgement(float(second), "a") for second in range(11)]
    assert play(*looks[:10]) is None
    verdict = play(*looks)
    assert verdict is not None
    assert verdict.outcome == "diverged"


def test_unstable() -> None:
    """What agrees and parts again until the deadline is unstable, whoever asks."""
    looks = [judgement(second / 2, "a" if second % 2 else "") for second in range(30)]
    verdict = play(*looks, patient=False)
    assert verdict is not None
    assert verdict.outcome == "unstable"


def test_late_agreement() -> None:
    """Agreement that came too late to hold is a timeout, not a pass."""
    looks = [judgement(float(second), "a") for second in range(10)]
    verdict = play(*looks, judgement(9.9), judgement(10.1))
    assert verdict is not None
    assert verdict.outcome == "timeout"
