"""Instances by the words that people use for them."""

from __future__ import annotations

import pytest

from stackctl.domain.instance import Endpoint, short_id

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


@pytest.mark.parametrize("text", ["192.0.2.7:80", "[2001:db8::1]:8080", "[::ffff:192.0.2.7]:1", "10.0.0.1:65535"])
def test_endpoint(text: str) -> None:
    """An address, in brackets where it has colons itself, and a port: as it is written, so it is read."""
    assert str(Endpoint.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("192.0.2.7]:80", "[192.0.2.7:80", "[192.0.2.7]:80", "2001:db8::1:2:3", "[2001:db8::1]", "[fe80::1%eth0]:80"),
        *("192.0.2.7: 80", "192.0.2.7:8_0", "192.0.2.7:+80", "192.0.2.7:８０", "192.0.2.7:80\n", " 192.0.2.7:80"),
        *("192.0.2.7:0", "192.0.2.7:65536", "192.0.2.7", "example.test:80", "192.0.2:80", ":80", ""),
    ],
)
def test_no_endpoint(text: str) -> None:
    """What merely resembles one is a ValueError, whoever wrote it."""
    with pytest.raises(ValueError, match=r"."):
        Endpoint.parse(text)
