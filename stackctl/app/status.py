"""`status`: the registry's members and leader, the agents' health, each balancer's revision."""

from __future__ import annotations

import asyncio

from stackctl.app.observing import Observer
from stackctl.app.project import Project
from stackctl.domain.instance import Instance
from stackctl.domain.status import AgentHealth, ClusterStatus, StackStatus
from stackctl.errors import StackctlError, Unreachable
from stackctl.planning import registries


def status(project: Project) -> StackStatus:
    """The parts around the services; what can't be asked is in it with its reason. Only the engine's silence raises."""

    async def run() -> StackStatus:
        async with Observer(project) as observer:
            seen = await observer.observe(with_traffic=False)
            project.say_silent(seen.engine)
            parts = [i for i in seen.engine.instances if i.role in ("registrator", "balancer")]
            agents = tuple([await _agent(observer, part) for part in parts])
            kind = registries.settings(project.stack).kind
            return StackStatus(
                project.stack.name,
                project.stack.engine,
                await _cluster(observer),
                agents,
                seen.balancers,
                kind,
                project.stack.balancer.virtual_address,
                await observer.keepers(seen.engine),
            )

    return asyncio.run(run())


async def _agent(observer: Observer, part: Instance) -> AgentHealth:
    if part.state != "running":
        return AgentHealth(part.id, False, f"the container is {part.state}")
    try:
        answer = await observer.health(part)
    except StackctlError as error:
        return AgentHealth(part.id, False, error.message)
    return AgentHealth(part.id, bool(answer["healthy"]), str(answer["detail"]))


async def _cluster(observer: Observer) -> ClusterStatus:
    try:
        return ClusterStatus.from_json(await observer.ask("cluster"))
    except Unreachable as error:
        return ClusterStatus(reason=error.message)
