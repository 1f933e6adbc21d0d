"""What nginx reports to probes becomes attempts at instances."""

from __future__ import annotations

import pytest

from stackctl.probing.http import attempts_of


@pytest.mark.parametrize(
    ("upstream", "status", "attempts"),
    [
        ("10.0.0.1:80|200", 200, [("10.0.0.1:80", "")]),
        ("10.0.0.1:80|404", 404, [("10.0.0.1:80", "")]),
        ("10.0.0.1:80|500", 500, [("10.0.0.1:80", "status 500")]),
        (
            "10.0.0.1:80, 10.0.0.2:80|504, 200",
            200,
            [("10.0.0.1:80", "status 504 in the balancer's attempt"), ("10.0.0.2:80", "")],
        ),
        ("web|502", 502, [("", "status 502: the balancer has no live instance")]),
        ("", 503, [("", "status 503 from the balancer itself, no instance was asked")]),
        ("|", 200, [("", "status 200 from the balancer itself, no instance was asked")]),
        ("-|-", 404, [("", "status 404 from the balancer itself, no instance was asked")]),
    ],
)
def test_attempts(upstream: str, status: int, attempts: list[tuple[str, str]]) -> None:
    """Every instance that was tried is named, and no answer without an instance counts as one."""
    assert attempts_of(upstream, status) == attempts
