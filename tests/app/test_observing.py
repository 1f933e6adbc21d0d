"""Who is asked what of a running stack."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackctl.app.observing import Observer
from stackctl.app.project import Project
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import Observation, Resolved
from stackctl.domain.stack import ConsulRegistry
from stackctl.errors import Leaderless, StackctlError
from tests.building import instance, stack

LB = replace(instance(1, service="lb", role="balancer"), node="one")
REGISTRATOR = replace(instance(2, service="registrator", role="registrator"), node="one")
ALONE = replace(instance(3), node="two")
SEEN = EngineState((LB, REGISTRATOR, ALONE), nodes=("one", "two"))


class Asked(Observer):
    """An observer whose probes answer with their instance's name, or raise."""

    error: StackctlError | None = None

    async def _probe(self, instance: Any) -> Any:
        async def ask(_: str, **words: Any) -> Any:
            if self.error:
                raise self.error
            return {name: {"addresses": [instance.id], "endpoints": []} for name in words.get("services", ())}

        return SimpleNamespace(ask=ask)


@pytest.fixture
def observer() -> Asked:
    internal = replace(stack().services[0], route=None)
    shop = replace(stack(), services=(internal,), registry=ConsulRegistry(subnet="10.99.7.0/24"))
    return Asked(cast(Project, SimpleNamespace(stack=shop, engine=SimpleNamespace(observe=lambda: SEEN))))


def test_names_are_asked_on_each_machine_or_not_at_all(observer: Asked) -> None:
    """Another machine's answer is none of a machine on which nothing can be asked."""
    seen = asyncio.run(observer._with_names(Observation(0.0, SEEN)))
    assert seen.resolved["web"] == (
        Resolved((REGISTRATOR.id,), node="one"),
        Resolved(lost="nobody can be asked there", node="two"),
    )


def test_what_concerns_no_node_alone_is_asked_of_a_balancer(observer: Asked) -> None:
    """A mark in a registry without agents can be set from anywhere."""
    assert asyncio.run(observer.ask("dns", node="two", services=["web"]))["web"]["addresses"] == [LB.id]


def test_an_election_is_told_as_such(observer: Asked) -> None:
    """It passes; whoever asks may wait for it."""
    observer.error = Leaderless("swarm-leaderless", "the Swarm has no leader")
    with pytest.raises(Leaderless):
        asyncio.run(observer.ask("cluster"))
