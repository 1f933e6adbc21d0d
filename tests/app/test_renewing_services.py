"""Consul's servers in a Swarm: which are updated, which are left to the rest, and which stay as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest
from ruamel.yaml import YAML

from stackctl.app import renewing_services
from stackctl.app.launching import Waiting
from stackctl.app.project import Project
from stackctl.app.renewing_services import renew_servers
from stackctl.app.services import tell
from stackctl.app.workspace import Workspace
from stackctl.domain.desired import Desired
from stackctl.domain.instance import EngineState
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.stack import ConsulRegistry
from stackctl.domain.swarm import SwarmService
from stackctl.errors import Leaderless, NotConverged, Unreachable
from stackctl.planning.topology import topology
from stackctl.rendering.swarm import swarm_files
from tests.building import IMAGES, instance, stack

NAMES = ("consul-1", "consul-2", "consul-3")
LEADERLESS = Leaderless("swarm-leaderless", "the Swarm has no leader")


@dataclass
class World:
    """A Swarm with three servers and its Consul; what is deployed comes back at once, unless it is in `dead`."""

    desired: Desired
    dead: set[str] = field(default_factory=set)
    breaking: bool = False  # whether a server that is updated does not join again
    silence: list[Exception] = field(default_factory=list)  # raised by the next looks, one by one
    led: bool = True
    deployed: list[tuple[set[str], bool]] = field(default_factory=list)
    joined: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))

    def observe(self) -> EngineState:
        if self.silence:
            raise self.silence.pop()
        there = [name for name in NAMES if name not in self.dead]
        tasks = (instance(n, service=name, role="consul") for n, name in enumerate(there))
        return EngineState(tuple(replace(task, digest=self._digest(task.service)) for task in tasks))

    def services(self) -> tuple[SwarmService, ...]:
        return tuple(
            SwarmService("id", name, name, self._digest(name), 1, "i", "completed", updated=str(self.joined[name]))
            for name in NAMES
        )

    def deploy(self, file: Path, *, prune: bool) -> None:
        names = set(YAML(typ="safe").load(file.read_text())["services"])
        self.deployed.append((names, prune))
        for name in names & {*NAMES}:
            self.joined[name] += 1

    def ask(self) -> Mapping[str, Any]:
        if not self.led:
            raise Unreachable("inside-unreachable", "Consul has no leader")
        lost = {*self.dead, *(n for n in NAMES if self.breaking and self.joined[n])}
        states = ("alive", "failed")
        members = [
            {"name": n, "address": f"{n}/{self.joined[n]}", "role": "server", "state": states[n in lost]} for n in NAMES
        ]
        peers = [{"name": n, "address": "", "state": "follower", "voter": True} for n in NAMES]
        return {"leader": "consul-1", "members": members, "peers": peers}

    def _digest(self, name: str) -> str:
        workload = self.desired.workload(name)
        return workload.digest if workload else ""


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(topology(replace(stack(), engine="swarm", registry=ConsulRegistry(3)), IMAGES))

    class Seeing:
        engine = world

        def __init__(self, _: Project) -> None: ...

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def ask(self, question: str, **_: object) -> Mapping[str, Any]:
            assert question == "cluster"
            return world.ask()

    monkeypatch.setattr(renewing_services, "Observer", Seeing)
    monkeypatch.setattr(renewing_services, "READY", 0.0)
    return world


@pytest.fixture
def project(world: World, warned: list[str], tmp_path: Path) -> Project:
    progress = SimpleNamespace(step=lambda *_: None, warn=warned.append)
    return cast(Project, SimpleNamespace(services=world, progress=progress, workspace=Workspace(tmp_path)))


def everything(desired: Desired, *more: Operation) -> Plan:
    """Every workload's definition changed."""
    return Plan("shop", (*(Operation("update", w.name, w.name, "changed") for w in desired.workloads), *more))


def renewed(world: World, project: Project, plan: Plan) -> tuple[list[str], frozenset[str]]:
    """What is left of the plan, and whom nobody waits for."""
    rest, lacking = asyncio.run(renew_servers(project, world.desired, plan, Waiting(timeout=5)))
    return [f"{operation.verb} {operation.service}" for operation in rest.operations], lacking


REST = ["update consul-agent", "update registrator", "update lb", "update web"]


def test_one_after_the_other(world: World, project: Project, warned: list[str]) -> None:
    """Each alone, and then nothing of them is left; an election in the Swarm does not end it."""
    world.silence.append(LEADERLESS)
    rest, lacking = renewed(world, project, everything(world.desired))
    assert sorted(rest) == sorted(REST) and not lacking and not warned
    assert world.deployed == [({name}, False) for name in NAMES]


def test_the_quorum_is_kept(world: World, project: Project, warned: list[str]) -> None:
    """With one dead the others stay, and so does what only the whole file would remove; the rest is told."""
    world.dead.add("consul-3")
    plan = everything(world.desired, Operation("remove", "old", "shop_old", "not in the spec"))
    rest, lacking = asyncio.run(renew_servers(project, world.desired, plan, Waiting(timeout=5)))
    assert not world.deployed
    assert lacking == {"consul-3"}
    (words,) = warned
    assert words.startswith("consul-1, consul-2 not updated, and old not removed: Consul lacks the vote of consul-3")
    tell(project, project.services, world.desired, rest)
    assert world.deployed == [({"consul-3", "consul-agent", "registrator", "lb", "web"}, False)]


def test_one_that_does_not_join_again(world: World, project: Project) -> None:
    """Those after it are not touched, although its task is healthy and its vote is in the consensus."""
    world.breaking = True
    with pytest.raises(NotConverged, match="after consul-1 was updated Consul lacks consul-1"):
        renewed(world, project, everything(world.desired))
    assert world.deployed == [({"consul-1"}, False)]


def test_where_nobody_leads(world: World, project: Project) -> None:
    """Nothing can be lost: all of them are told with the rest."""
    world.led = False
    plan = everything(world.desired)
    assert asyncio.run(renew_servers(project, world.desired, plan, Waiting())) == (plan, frozenset())


def test_what_is_told(world: World, project: Project) -> None:
    """Only what the plan names: `scale` must not restart servers whose definition changed as well. The whole file where
    something goes."""
    update, remove = Operation("update", "web", "shop_web", "changed"), Operation("remove", "old", "shop_old", "gone")
    tell(project, project.services, world.desired, Plan("shop", (update,)))
    project.workspace.write(swarm_files(world.desired))
    tell(project, project.services, world.desired, Plan("shop", (update, remove)))
    assert world.deployed == [({"web"}, False), ({w.name for w in world.desired.workloads}, True)]
