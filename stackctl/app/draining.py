"""Drain instances: out of every balancer, what they work on done, then stopped. Nothing else is touched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.app.observing import Observer
from stackctl.app.waiting import left_after
from stackctl.domain.catalog import CatalogEntry
from stackctl.domain.instance import Instance
from stackctl.errors import NotConverged, StackctlError, Unreachable
from stackctl.ports import Progress
from stackctl.verifying.drained import Leaving, still_served, still_working

CONFIRM = 15.0  # seconds for every balancer to confirm a revision without the instances


@dataclass(frozen=True, slots=True)
class Victim:
    """An instance that is to go, the seconds that its work may take, and why."""

    instance: Instance
    grace: float
    cause: str


async def drain(observer: Observer, victims: Sequence[Victim], progress: Progress) -> None:
    """Drain and remove these instances, all at once.

    Raises `NotConverged` where a balancer goes on serving one of them: then nothing was stopped. Whatever ends it
    before that, Ctrl-C too, the drain marks are as they were. Where the grace runs out, what is cut is said.
    """
    running = [victim for victim in victims if victim.instance.state == "running"]
    leaving = Leaving.of([victim.instance for victim in running])
    marked: list[CatalogEntry] = []
    stopping = False
    try:
        if running:
            await _mark(observer, running, marked)
            for victim in running:
                progress.step(victim.instance.id, "draining: waiting for every balancer to leave it out")
            await confirmed(observer, leaving)
            await _finished(observer, leaving, max(victim.grace for victim in running), progress)
        stopping = True
        ended = await asyncio.gather(*(_stop(observer, v, marked, progress) for v in victims), return_exceptions=True)
    except BaseException:
        for entry in marked if not stopping else ():  # who is being stopped already must not be sent anything more
            with contextlib.suppress(StackctlError):  # one whose instance is gone is gone too
                await observer.maintain(entry, entry.drain_reason if entry.draining else None)
        raise
    for problem in filter(None, ended):
        raise problem


async def _mark(observer: Observer, victims: Sequence[Victim], marked: list[CatalogEntry]) -> None:
    seen = await observer.observe(with_traffic=False)
    if seen.registry_lost:
        raise Unreachable("registry-unreachable", seen.registry_lost, hint="nothing was stopped; see stackctl status")
    reasons = {victim.instance.id: victim.cause for victim in victims}
    for entry in (e for catalog in seen.catalogs.values() for e in catalog.entries if e.id in reasons):
        marked.append(entry)
        await observer.maintain(entry, reasons[entry.id], seen.engine)


async def confirmed(observer: Observer, leaving: Leaving) -> None:
    """Wait until no balancer serves them any more; raises `NotConverged` where one goes on."""

    async def serving() -> list[str]:
        return still_served(leaving, await observer.observe(with_traffic=False))

    if names := await left_after(CONFIRM, serving):
        raise NotConverged(
            "drain-unconfirmed",
            f"after {CONFIRM:g} s {'; '.join(names)}",
            hint="nothing was stopped; see stackctl status for the balancer's agent",
        )


async def _finished(observer: Observer, leaving: Leaving, grace: float, progress: Progress) -> None:
    async def working() -> list[str]:
        seen = await observer.observe(with_traffic=False)
        back = still_served(leaving, seen)  # by somebody who lifted the mark meanwhile
        return back or still_working(leaving, seen)

    if work := await left_after(grace, working):
        if still_served(leaving, await observer.observe(with_traffic=False)):
            raise NotConverged("drain-undone", "; ".join(work), hint="nothing was stopped; try again")
        if grace:
            progress.warn(f"the grace of {grace:g} s is over, cutting: {'; '.join(work)}")


async def _stop(observer: Observer, victim: Victim, marked: Sequence[CatalogEntry], progress: Progress) -> None:
    await asyncio.to_thread(observer.project.containers.remove, victim.instance, victim.grace)
    for entry in marked:
        if entry.id == victim.instance.id and not entry.owner:  # no registrator will remove it
            await observer.deregister(entry)
    progress.step(victim.instance.id, f"stopped and removed ({victim.cause})")
