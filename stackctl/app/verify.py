"""`verify`: the proof that engine, registry, running config and traffic agree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from stackctl.app.converging import converge
from stackctl.app.observing import Observer
from stackctl.app.project import Project
from stackctl.domain.verdict import Judgement, Verdict

IMPATIENT = 30.0  # seconds in which something must begin to hold, agreement or difference


def verify(
    project: Project,
    *,
    timeout: float | None,
    stable: float,
    on_judgement: Callable[[Judgement], None] = lambda _: None,
) -> Verdict:
    """The verdict about the stack as it was launched or scaled last.

    Without a timeout the answer is about now: what holds for `stable` seconds, agreement or difference, is it. With
    one, agreement is waited for that long.
    """
    project = replace(project, stack=project.scaled())

    async def run() -> Verdict:
        async with Observer(project) as observer:
            return await converge(
                observer,
                project.goal(),
                timeout=IMPATIENT + stable if timeout is None else timeout,
                window=stable,
                patient=timeout is not None,
                on_judgement=on_judgement,
            )

    return asyncio.run(run())
