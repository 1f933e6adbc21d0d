"""Registrations by API: what the spec asks stackctl to write, and what an operator writes or marks by hand."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

from stackctl.app.draining import confirmed
from stackctl.app.observing import Observer
from stackctl.app.project import Project
from stackctl.domain.catalog import CatalogEntry, Registration, SetAside
from stackctl.domain.instance import EngineState, short_id
from stackctl.errors import StackctlError, Unreachable, UsageError
from stackctl.planning.registrations import missing
from stackctl.probing.wire import registration_to_json
from stackctl.spec.find import names_stack
from stackctl.verifying.drained import Leaving

OPERATOR = "operator: "  # what the reason of a drain by hand begins with: `up` leaves such a mark alone
ANSWER = 15.0  # seconds for a new instance's first answer
PACE = 0.1


def split_words(words: Sequence[str], file: str | None) -> tuple[str | None, tuple[str, ...]]:
    """STACK, where the first of several words names a bundled stack or a path, and the rest."""
    if len(words) > 1 and file is None and names_stack(words[0]):
        return words[0], tuple(words[1:])
    return None, tuple(words)


async def register_missing(observer: Observer, project: Project) -> None:
    """Write what the spec asks stackctl itself to register, each as soon as it answers, or when it should have."""
    if not project.stack.external and all(service.register != "api" for service in project.stack.services):
        return
    seen = await observer.observe(with_traffic=False)
    wanted = missing(project.stack, seen.engine, seen.catalogs)
    await asyncio.gather(*(_register(observer, one, keeper(seen.engine, one.id), project) for one in wanted))


def keeper(seen: EngineState, id: str) -> str:
    """The node whose agent keeps a registration: the instance's own, so that both are lost together; else always the
    same one. Empty where there is only one."""
    own = next((instance.node for instance in seen.instances if instance.id == id), "")
    return own or min((node for node in seen.nodes if node not in seen.unreachable), default="")


async def _register(observer: Observer, wanted: Registration, node: str, project: Project) -> None:
    deadline = time.monotonic() + ANSWER
    while True:
        late = time.monotonic() > deadline
        try:
            if await _write(observer, wanted, node, anyway=late):
                break
        except Unreachable:  # a stack that has just been made
            if late:
                raise
        await asyncio.sleep(PACE)
    project.progress.step(wanted.id, f"registered by API as {wanted.service} at {wanted.endpoint}")


async def _write(observer: Observer, wanted: Registration, node: str, *, anyway: bool) -> bool:
    """Register an endpoint that answers, as passing; `anyway` also a silent one: the registry's check sees to it."""
    answers = await observer.ask("answers", node=node, endpoint=str(wanted.endpoint), path="")
    if answers and wanted.check:
        wanted = replace(wanted, check=replace(wanted.check, status="passing"))
    if answers or anyway:
        await observer.ask("register", node=node, registration=registration_to_json(wanted))
    return bool(answers or anyway)


def register(project: Project, wanted: Registration) -> None:
    """Write one registration; raises `StackctlError` where the registry refuses it or can't be told."""

    async def run() -> None:
        async with Observer(project) as observer:
            seen = await asyncio.to_thread(observer.engine.observe)
            await _write(observer, wanted, keeper(seen, wanted.id), anyway=True)

    asyncio.run(run())


def deregister(project: Project, ids: Sequence[str]) -> None:
    """Remove registrations by their id or their instance's, each out of every balancer first.

    Raises `UsageError` for one that is not there, `NotConverged` where a balancer goes on serving it.
    """

    async def run() -> None:
        async with Observer(project) as observer:
            found = await _registered(observer, ids)
            served = [item for item in found if isinstance(item, CatalogEntry)]
            # A mark is believed at once; a registry that has merely forgotten an instance which answers is doubted.
            await _marked(observer, served, "it is being deregistered")
            for item in found:
                await observer.deregister(item)

    asyncio.run(run())


def drain(project: Project, ids: Sequence[str], reason: str) -> None:
    """Take instances out of every balancer and leave them running, until `undrain`.

    Raises `UsageError` for an unknown one, `NotConverged` where a balancer goes on serving it.
    """

    async def run() -> None:
        async with Observer(project) as observer:
            await _marked(observer, await _entries(observer, ids), f"{OPERATOR}{reason}")

    asyncio.run(run())


def undrain(project: Project, ids: Sequence[str]) -> None:
    """Bring drained instances back; raises `UsageError` for an unknown one."""

    async def run() -> None:
        async with Observer(project) as observer:
            for entry in await _entries(observer, ids):
                await observer.maintain(entry, None)

    asyncio.run(run())


async def _marked(observer: Observer, entries: Sequence[CatalogEntry], reason: str) -> None:
    """In maintenance, and out of every running config; whatever prevents that, the marks are lifted again."""
    try:
        for entry in entries:
            await observer.maintain(entry, reason)
        # By id: another registration may lead to the same endpoint, and stays.
        await confirmed(observer, Leaving(frozenset(entry.id for entry in entries), frozenset()))
    except BaseException:
        for entry in (entry for entry in entries if not entry.draining):
            with contextlib.suppress(StackctlError):
                await observer.maintain(entry, None)
        raise


async def _entries(observer: Observer, ids: Sequence[str]) -> list[CatalogEntry]:
    """The registrations of these instances that can be served, whoever wrote them."""
    found = []
    for item in await _registered(observer, ids):
        if isinstance(item, SetAside):
            hint = f"nobody serves it; stackctl deregister {item.id} removes it"
            raise UsageError("set-aside", f"{item.id} is set aside: {item.reason}", where=item.id, hint=hint)
        found.append(item)
    return found


async def _registered(observer: Observer, ids: Sequence[str]) -> list[CatalogEntry | SetAside]:
    """The registrations of these instances, also those whose values can't be used."""
    seen = (await observer.observe_everything()).values()
    stack = observer.project.stack.name

    def words(item: CatalogEntry | SetAside) -> set[str]:
        return {item.id, item.registration, short_id(stack, item.id)}

    everything: list[CatalogEntry | SetAside] = []
    for catalog in seen:
        everything += [*catalog.entries, *catalog.set_aside]
    for id in ids:
        if not any(id in words(item) for item in everything):
            known = ", ".join(sorted({item.id for item in everything})) or "none"
            raise UsageError(
                "no-such-instance", f"nothing is registered as {id!r}", where=id, hint=f"registered: {known}"
            )
    return [item for item in everything if words(item) & set(ids)]
