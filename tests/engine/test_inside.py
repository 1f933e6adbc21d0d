"""A conversation with a probe that does not keep to it."""

from __future__ import annotations

import asyncio

import pytest

from stackctl.engine import inside
from stackctl.errors import StackctlError


def test_no_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own words in the place of an answer are told as such, and end the conversation."""
    monkeypatch.setattr(
        inside, "docker_command", lambda _: ("sh", "-c", "echo OCI runtime exec failed; exec cat > /dev/null")
    )

    async def ask() -> None:
        async with inside.Inside("shop-lb-1") as probe:
            try:
                await probe.ask("token")
            finally:
                assert not probe.alive

    with pytest.raises(StackctlError, match="it said 'OCI runtime exec failed'") as raised:
        asyncio.run(ask())
    assert raised.value.id == "probe-lost"
