"""Files other than nginx's, rendered from the catalog and from keys: the balancer's agent as a general template agent.

    names ────┐
    catalogs ─┼─> what is known ──> render ──> compare ──> check ──> rename ──> reload
    keys ─────┘

A registry that does not answer changes nothing. A template that fails, or a file that its check refuses, leaves the
last good file where it is and is told in /healthz.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jinja2

from stackctl.agents.loop import Backoff, Log
from stackctl.domain.catalog import Catalog, Names, Values, servable
from stackctl.domain.files import FileTemplate
from stackctl.domain.instance import DNS_LABEL
from stackctl.errors import StackctlError, Unreachable
from stackctl.ports import Registry
from stackctl.rendering.files import render_file

WAIT = 60.0  # seconds that a blocking query waits for news
COMMAND = 30.0  # seconds for a check or a reload

Answer = TypeVar("Answer", Names, Catalog, Values)


class Files:
    """Keeps files in step with the registry for as long as `run` runs."""

    def __init__(self, templates: tuple[FileTemplate, ...], registry: Registry, log: Log) -> None:
        self._templates = templates
        self._registry = registry
        self._log = log
        self._names: tuple[str, ...] = ()
        self._catalogs: dict[str, Catalog] = {}
        self._values: dict[str, Mapping[str, str]] = {}
        self._news = asyncio.Event()
        self.problems: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled; returns at once where there is no file to keep."""
        if not self._templates:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(self._ask_names, lambda found: self._heed(found, tasks)))
            for prefix in sorted({key for template in self._templates for key in template.keys}):
                tasks.create_task(self._watch_keys(prefix))
            while True:
                await self._news.wait()
                self._news.clear()
                if all(key in self._values for template in self._templates for key in template.keys):
                    for template in self._templates:
                        await self._keep(template)

    async def _keep(self, template: FileTemplate) -> None:
        try:
            text = render_file(
                template, {name: servable(c.entries) for name, c in self._catalogs.items()}, self._values
            )
            await self._replace(template, text)
        except (
            StackctlError,
            OSError,
            jinja2.TemplateError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            self.problems[template.dest] = f"{template.dest}: {error}"
            self._log("file not written", level="error", dest=template.dest, reason=str(error))
        else:
            self.problems.pop(template.dest, None)

    async def _replace(self, template: FileTemplate, text: str) -> None:
        """Beside, checked, then renamed; an equal file stays untouched."""
        path = Path(template.dest)
        if _holds(path, text):
            return
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text)
        if template.check:
            await _command(template.check, beside)
        beside.replace(path)
        self._log("file written", dest=template.dest)
        if template.reload:
            await _command(template.reload, path)

    def _heed(self, names: Names, tasks: asyncio.TaskGroup) -> None:
        for name in names.services:
            if name not in self._catalogs and DNS_LABEL.match(name):
                self._catalogs[name] = Catalog(name)
                tasks.create_task(self._watch_service(name))
        self._names = names.services

    def _ask_names(self, index: int) -> Coroutine[Any, Any, Names]:
        return self._registry.names(index=index, wait=WAIT)

    async def _watch_service(self, name: str) -> None:
        def heed(found: Catalog) -> None:
            self._catalogs[name] = found

        await self._follow(lambda index: self._registry.catalog(name, index=index, wait=WAIT), heed)

    async def _watch_keys(self, prefix: str) -> None:
        def heed(found: Values) -> None:
            self._values[prefix] = dict(found.items)

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


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


async def _command(command: str, file: Path) -> None:
    """Run by the shell, with the file's path for {file}; raises `StackctlError` with its last words where it fails."""
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        command.replace("{file}", shlex.quote(str(file))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(COMMAND):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise StackctlError("command-hangs", f"`{command}` did not end in {COMMAND:g} s") from None
    if process.returncode:
        words = output.decode(errors="replace").strip()[-300:]
        raise StackctlError("command-failed", f"`{command}` ended with {process.returncode}: {words}")
