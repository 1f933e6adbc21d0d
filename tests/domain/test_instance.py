"""Instances by the words that people use for them."""

from __future__ import annotations

import pytest

from stackctl.domain.instance import short_id

NODE, TASK = "g284glvvylhp0mtmlbcohy68d", "vcixg6014uguwwd35dl1sb86h"


@pytest.mark.parametrize(
    ("id", "short"),
    [
        ("shop-web-2", "web-2"),
        (f"shop_web.2.{TASK}", "web.2"),
        (f"shop_my.web.12.{TASK}", "my.web.12"),
        (f"shop_registrator.{NODE}.{TASK}", f"registrator.{NODE}.{TASK}"),  # one on every node has no number
        ("another-web-2", "another-web-2"),
    ],
)
def test_short_id(id: str, short: str) -> None:
    """The stack's name in front goes, and the id of a Swarm's task, where a number is left."""
    assert short_id("shop", id) == short
