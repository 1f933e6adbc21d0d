"""`config`: the nginx config that a balancer really runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.app.observing import running_balancers
from stackctl.app.project import Project
from stackctl.domain.instance import short_id
from stackctl.errors import Unreachable, UsageError
from stackctl.planning.entry import BALANCER
from stackctl.spec.find import names_stack


@dataclass(frozen=True, slots=True)
class RunningText:
    """A balancer's running config."""

    balancer: str
    revision: str
    text: str


def split_words(words: Sequence[str]) -> tuple[str | None, str | None]:
    """STACK and BALANCER from one or two words; one word is a balancer unless it names a bundled stack or a path."""
    if len(words) > 2:
        hint = "stackctl config STACK lb-1"
        raise UsageError("too-many-words", "give at most a STACK and a BALANCER", where=" ".join(words), hint=hint)
    if len(words) == 2:
        return words[0], words[1]
    if not words:
        return None, None
    return (words[0], None) if names_stack(words[0]) else (None, words[0])


def config(project: Project, balancer: str | None) -> RunningText:
    """The running config of the named balancer (`lb-1` or its whole id), or of the first one."""
    running = running_balancers(project.look())
    if not running:
        name = project.stack.name
        where = project.stack.origin
        raise Unreachable("no-balancer", f"no balancer of {name} runs", where=where, hint=f"stackctl up {name}")
    wanted = balancer or running[0].id
    chosen = [i for i in running if wanted in (i.id, short_id(project.stack.name, i.id))]
    if not chosen:
        hint = f"balancers: {', '.join(i.id for i in running)} ({BALANCER}-N for short)"
        where = project.stack.origin
        raise UsageError("no-such-balancer", f"no balancer {balancer!r} runs", where=where, hint=hint)

    async def ask() -> RunningText:
        async with project.engine.inside(chosen[0]) as probe:
            answer = await probe.ask("config")
            return RunningText(chosen[0].id, answer["revision"], answer["text"])

    return asyncio.run(ask())
