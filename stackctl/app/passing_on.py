"""The virtual address goes to another machine before its balancer is gone for a moment, and not a second after."""

from __future__ import annotations

import asyncio
import time

from stackctl.app.observing import Observer
from stackctl.app.waiting import PACE, left_after
from stackctl.domain.instance import EngineState
from stackctl.domain.observation import KeeperSeen
from stackctl.domain.plan import Operation
from stackctl.planning.vip import heirs

# Seconds: a keepalived has to start, and to ask its balancer twice, every 0.4 s (templates/keepalived).
BELIEVED = 1.5
PATIENCE = 5.0  # seconds for another one to have it; the balancer is made anew then all the same
GRACE = 5.0


async def pass_on(observer: Observer, renewed: Operation) -> None:
    """Where the machine of this balancer has the address and another one could: its keepalived ends, which tells the
    others at once, and is made again; it takes nothing back."""
    if not await has_heir(observer, renewed.node):
        return
    state, keepers = await _look(observer)
    has = next((keeper for keeper in keepers if keeper.holds and keeper.node == renewed.node), None)
    if has is None:
        return
    own = next(instance for instance in state.instances if instance.id == has.id)
    containers, address = observer.project.containers, observer.project.stack.balancer.virtual_address
    await asyncio.to_thread(containers.remove, own, GRACE)
    again = Operation("create", own.service, own.id, f"{address} is passed on", own.node)
    state, _ = await _look(observer)
    await asyncio.to_thread(containers.launch, (again,), state)
    observer.project.progress.step(own.id, again.cause)

    async def kept() -> bool:
        _, keepers = await _look(observer)
        return not any(keeper.holds and keeper.node != renewed.node for keeper in keepers)

    if await left_after(PATIENCE, kept):
        observer.project.progress.warn(f"no other machine had {address} within {PATIENCE:g} s: it is away for a moment")


async def has_heir(observer: Observer, node: str) -> bool:
    """Whether a machine could take the address from `node`, and could for as long as its keepalived takes to believe
    it; False at once where none could, or another one has it."""
    believed = time.monotonic() + BELIEVED
    _, keepers = await _look(observer)
    found = heirs(node, keepers)
    while found and time.monotonic() < believed:
        await asyncio.sleep(PACE)
        _, keepers = await _look(observer)
        found &= heirs(node, keepers)
    return bool(found)


async def _look(observer: Observer) -> tuple[EngineState, tuple[KeeperSeen, ...]]:
    state = await asyncio.to_thread(observer.engine.observe)
    return state, await observer.keepers(state)
