"""A deployment that fails: a new instance does not serve, and will not."""

from __future__ import annotations

from stackctl.domain.verdict import Verdict
from stackctl.verifying.joining import Failure


class Failing(Exception):
    """Ends a deployment early, to undo it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def first_difference(verdict: Verdict) -> Failure:
    """Where a verdict that is not `converged` first differs."""
    for name, divergence in verdict.judgement.divergences:
        who = (*divergence.missing, *divergence.extra)
        return Failure(who[0] if who else "", divergence.layer, f"{name}: {divergence.reason}")
    return Failure("", "engine", verdict.reason)
