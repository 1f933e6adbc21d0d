"""Files other than nginx's, rendered from the catalog and from keys: the balancer's agent as a general template agent.

    names ────┐
    catalogs ─┼─> what is known ──> render ──> compare ──> check ──> rename ──> reload
    keys ─────┘

A registry that does not answer changes nothing, and nothing is rendered before all of it has answered once. A template
that fails, or a file that its check refuses, leaves the last good file where it is and is told in /healthz. A reload
that failed is owed, by a mark beside the file that outlives the agent, until one succeeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from stackctl.agents.known import DOUBT, Known, named, passed, told, valued
from stackctl.agents.loop import Backoff, Log
from stackctl.domain.catalog import Catalog, Names, Values
from stackctl.domain.files import FileTemplate
from stackctl.errors import StackctlError, Unreachable
from stackctl.ports import Registry
from stackctl.rendering.files import render_file
from stackctl.rendering.templates import TEMPLATE_FAILURES

WAIT = 60.0  # seconds that a blocking query waits for news
COMMAND = 30.0  # seconds for a check or a reload
RETRY = 5.0  # seconds until what failed is tried again

Answer = TypeVar("Answer", Names, Catalog, Values)


class Files:
    """Keeps files in step with the registry for as long as `run` runs."""

    def __init__(self, templates: tuple[FileTemplate, ...], registry: Registry, log: Log) -> None:
        self._templates = templates
        self._registry = registry
        self._log = log
        self._known = Known(frozenset(key for template in templates for key in template.keys))
        self._news = asyncio.Event()
        self.problems: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled; returns at once where there is no file to keep."""
        if not self._templates:
            return
        loop = asyncio.get_running_loop()
        if self._written():
            self._known = replace(self._known, adopted=loop.time() + DOUBT)
        watches: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_names())
            for prefix in sorted(self._known.prefixes):
                tasks.create_task(self._watch_keys(prefix))
            while True:
                self._news.clear()
                self._known = known = passed(self._known, loop.time())
                for name in known.watched - watches.keys():
                    watches[name] = tasks.create_task(self._watch_service(name))
                for name in watches.keys() - known.watched:
                    watches.pop(name).cancel()
                if known.complete(loop.time()):
                    for template in self._templates:
                        await self._keep(template, known)
                await self._woken(known.due(loop.time()), loop.time() + RETRY if self.problems else None)

    def _written(self) -> bool:
        """Whether an earlier agent, or another one, left a file."""
        return any(Path(template.dest).exists() for template in self._templates)

    async def _woken(self, *times: float | None) -> None:
        """By news, or by the first of these times."""
        try:
            async with asyncio.timeout_at(min((time for time in times if time is not None), default=None)):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _keep(self, template: FileTemplate, known: Known) -> None:
        try:
            await self._replace(template, render_file(template, known.services, known.values).encode())
        except (StackctlError, OSError, *TEMPLATE_FAILURES) as error:
            problem = f"{template.dest}: {error}"
            if self.problems.get(template.dest) != problem:
                self._log("file not kept", level="error", dest=template.dest, reason=str(error))
            self.problems[template.dest] = problem
        else:
            self.problems.pop(template.dest, None)

    async def _replace(self, template: FileTemplate, text: bytes) -> None:
        """Beside, checked, then renamed; an equal file stays untouched, but a reload that is owed is made up for.

        Balancers share the folder: what lies beside has the container's name in it.
        """
        path = Path(template.dest)
        beside = path.with_name(f".{path.name}.{socket.gethostname()}.new")
        owed = beside.with_suffix(".reload")
        if not _holds(path, text):
            try:
                beside.write_bytes(text)
                if template.check:
                    await _command(template.check, beside)
                if template.reload:
                    owed.touch()
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            self._log("file written", dest=template.dest)
        if template.reload and owed.exists():
            await _command(template.reload, path)
        owed.unlink(missing_ok=True)

    async def _watch_names(self) -> None:
        def heed(found: Names) -> None:
            self._known = named(self._known, found)

        await self._follow(lambda index: self._registry.names(index=index, wait=WAIT), heed)

    async def _watch_service(self, name: str) -> None:
        def heed(found: Catalog) -> None:
            self._known = told(self._known, found, asyncio.get_running_loop().time())

        await self._follow(lambda index: self._registry.catalog(name, index=index, wait=WAIT), heed)

    async def _watch_keys(self, prefix: str) -> None:
        def heed(found: Values) -> None:
            self._known = valued(self._known, prefix, found)

        await self._follow(lambda index: self._registry.values(prefix, index=index, wait=WAIT), heed)

    async def _follow(self, ask: Callable[[int], Awaitable[Answer]], heed: Callable[[Answer], None]) -> None:
        """Blocking queries, one after the other; silence is no news."""
        index, backoff = 0, Backoff(last=1.0)
        while True:
            try:
                found = await ask(index)
            except Unreachable:
                index = 0
                await backoff.wait()
            else:
                index = found.index
                backoff.reset()
                heed(found)
                self._news.set()


def _holds(path: Path, text: bytes) -> bool:
    return path.exists() and path.read_bytes() == text


async def _command(command: str, file: Path) -> None:
    """Run by the shell, with the file's path for {file}; raises `StackctlError` with its last words where it fails.

    What it started ends with it where it is cut off. Its words go to a file: a pipe would be held open by whatever a
    reload leaves running on purpose.
    """
    with tempfile.TemporaryFile() as words:
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            command.replace("{file}", shlex.quote(str(file))),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=words,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(COMMAND):
                await process.wait()
        except TimeoutError:
            raise StackctlError("command-hangs", f"`{command}` did not end in {COMMAND:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            words.seek(0)
            last = words.read().decode(errors="replace").strip()[-300:]
            raise StackctlError("command-failed", f"`{command}` ended with {process.returncode}: {last}")
