"""The shared address: who may take it is watched for as long as a keepalived takes to believe that it may."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from stackctl.app import passing_on
from stackctl.app.observing import Observer
from stackctl.app.passing_on import has_heir
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import KeeperSeen

ONE = KeeperSeen("shop-one-vip-1", "one", holds=True, fit=True)
TWO = KeeperSeen("shop-two-vip-1", "two", fit=True)
UNFIT = KeeperSeen("shop-two-vip-1", "two")
TAKEN = KeeperSeen("shop-two-vip-1", "two", holds=True, fit=True)
GIVEN_UP = KeeperSeen("shop-one-vip-1", "one", fit=True)


class Seeing:
    """An observer that sees the keepers it is given, one look after the other, and the last for ever."""

    def __init__(self, *looks: tuple[KeeperSeen, ...]) -> None:
        self.looks = list(looks)
        self.looked = 0
        self.engine = self

    def observe(self) -> EngineState:
        """Nothing that matters here."""
        return EngineState()

    async def keepers(self, _: EngineState) -> tuple[KeeperSeen, ...]:
        """The next ones."""
        self.looked += 1
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


def asked(seeing: Seeing) -> bool:
    """Whether somebody could take it from `one`."""

    async def bounded() -> bool:
        async with asyncio.timeout(30):
            return await has_heir(cast(Observer, seeing), "one")

    return asyncio.run(bounded())


def test_an_heir_is_one_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is fit in every look for so long is ready, and not with the first look."""
    monkeypatch.setattr(passing_on, "BELIEVED", 0.3)
    seeing = Seeing((ONE, TWO))
    assert asked(seeing) and seeing.looked > 1


@pytest.mark.parametrize(
    "looks",
    [
        ((ONE, UNFIT),),
        ((ONE, TWO), (ONE, UNFIT), (ONE, TWO)),
        ((GIVEN_UP, TAKEN),),
        ((GIVEN_UP, TWO), (GIVEN_UP, TAKEN)),
        ((),),
    ],
    ids=["nobody else is fit", "not for long", "another one has it", "another one takes it", "no address"],
)
def test_nothing_to_wait_for(looks: tuple[tuple[KeeperSeen, ...], ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody could take it, or somebody has, nobody is watched until it would be believed."""
    monkeypatch.setattr(passing_on, "BELIEVED", 3600.0)
    assert not asked(Seeing(*looks))
