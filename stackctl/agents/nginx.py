"""The nginx beside the balancer agent: swap its config without losing a request, and ask what really runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from stackctl.agents.workers import Worker, worker_of
from stackctl.domain.balancer import RunningConfig, Target
from stackctl.errors import StackctlError
from stackctl.probing.wire import target_from_json, target_to_json
from stackctl.rendering.nginx import STATUS_PORT, RenderedConfig

KEPT_REVISIONS = 8
SILENCE = 2.0  # seconds until an nginx that says nothing counts as one that does not answer


@dataclass(frozen=True, slots=True)
class Nginx:
    """The files and processes of one nginx; `run` is the folder where everything it writes lies."""

    run: Path = Path("/run/stackctl")
    binary: str = "nginx"

    @property
    def config(self) -> Path:
        """The file that nginx reads at a reload."""
        return self.run / "nginx.conf"

    def token(self) -> str:
        """The secret by which probes are told the upstream; made once for the life of the container."""
        path = self.run / "probe-token"
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(16))
        return path.read_text()

    def write_first(self, rendered: RenderedConfig, target: Target) -> None:
        """The config that nginx starts with; an existing one stays."""
        if not self.config.exists():
            self._remember(rendered, target)
            _write(self.config, rendered.text)

    async def apply(self, rendered: RenderedConfig, target: Target, *, timeout: float = 10.0) -> None:
        """Candidate → test → atomic rename → reload → confirmed by what fresh connections see.

        Raises `StackctlError` where nginx refuses the candidate (the running config and file stay as they were) or
        where no fresh connection sees the new revision within `timeout` seconds.
        """
        candidate = await self.test(rendered)
        self._remember(rendered, target)
        previous = self.config.read_text()
        candidate.replace(self.config)
        try:
            await self._reload(rendered.revision, timeout)
        except (StackctlError, OSError):
            _write(self.config, previous)  # what lies on disk is what runs, also after a failure
            raise

    async def _reload(self, revision: str, timeout: float) -> None:
        master, before = self.master(), {worker.pid for worker in self.workers()}
        os.kill(master, signal.SIGHUP)
        await _until(lambda: self._replaced(before), timeout, "nginx to start workers with the new config")
        # The master lets old workers accept for another 100 ms. The new ones are there and the listening sockets are
        # shared, so nothing is refused when the old ones stop accepting now: what they hold, they finish.
        for worker in self.workers():
            if worker.pid in before and not worker.shutting_down:
                _signal(worker.pid, signal.SIGQUIT)
        await _until(lambda: self._confirmed(before, revision), timeout, f"revision {revision}")

    async def running(self) -> RunningConfig:
        """What the running nginx serves, asked over a fresh connection; the target from the record of that revision."""
        revision = await self.revision()
        try:
            record = json.loads(self._record(revision).read_text())
        except FileNotFoundError:
            message = f"nginx runs revision {revision}, which was never applied here"
            raise StackctlError("revision-unknown", message) from None
        return RunningConfig(revision, target_from_json(record["target"]))

    def text(self, revision: str) -> str:
        """The config's text as it was applied under that revision; raises `OSError` where it never was."""
        text: str = json.loads(self._record(revision).read_text())["text"]
        return text

    async def revision(self) -> str:
        """The revision that a fresh connection sees; raises `OSError` where nginx does not answer."""
        async with asyncio.timeout(SILENCE):  # one that is frozen accepts, and says nothing
            reader, writer = await asyncio.open_connection("127.0.0.1", STATUS_PORT)
            try:
                writer.write(b"GET /revision HTTP/1.0\r\nHost: localhost\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
        return answer.rpartition(b"\r\n\r\n")[2].decode().strip()

    def master(self) -> int:
        """The process id of the running master."""
        return int((self.run / "nginx.pid").read_text())

    def workers(self) -> tuple[Worker, ...]:
        """The worker processes, of every generation that still lives."""
        master, ticks, found = self.master(), os.sysconf("SC_CLK_TCK"), []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    stat, title = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
                    words = title.decode(errors="replace")
                    found.append(worker_of(int(entry.name), stat, words, master=master, ticks=ticks))
        return tuple(filter(None, found))

    async def test(self, rendered: RenderedConfig) -> Path:
        """The candidate's file; raises `StackctlError` with nginx's words, and the line, where it is refused."""
        candidate = self.run / "candidate.conf"
        _write(candidate, rendered.text)
        process = await asyncio.create_subprocess_exec(
            self.binary, "-t", "-q", "-c", str(candidate), stderr=asyncio.subprocess.PIPE
        )
        _, errors = await process.communicate()
        if process.returncode:
            words = errors.decode(errors="replace").strip()
            raise StackctlError("config-refused", f"{words}{_quoted(words, rendered.text)}", where=str(candidate))
        return candidate

    async def _replaced(self, before: set[int]) -> bool:
        workers = self.workers()
        fresh = [worker for worker in workers if worker.pid not in before]
        return len(fresh) >= max(1, len({w.pid for w in workers if w.pid in before and not w.shutting_down}))

    async def _confirmed(self, before: set[int], revision: str) -> bool:
        if any(worker.pid in before and not worker.shutting_down for worker in self.workers()):
            return False
        return await self.revision() == revision

    def _record(self, revision: str) -> Path:
        return self.run / "revisions" / f"{revision}.json"

    def _remember(self, rendered: RenderedConfig, target: Target) -> None:
        record = self._record(rendered.revision)
        record.parent.mkdir(exist_ok=True)
        _write(record, json.dumps({"target": target_to_json(target), "text": rendered.text}))
        kept = sorted(record.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-KEPT_REVISIONS]:
            old.unlink()


def _quoted(words: str, text: str) -> str:
    """The line of the config that nginx's message points to."""
    found = re.search(r"candidate\.conf:(\d+)", words)
    lines = text.splitlines()
    return f": {lines[int(found[1]) - 1].strip()}" if found and int(found[1]) <= len(lines) else ""


def _write(path: Path, text: str) -> None:
    """Beside, then rename: a reader sees the old text or the new one, never a part."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


async def _until(condition: Callable[[], Awaitable[bool]], timeout: float, what: str) -> None:
    """Wait for a state of processes, which nobody announces; raises `StackctlError` naming `what` after `timeout` s."""
    try:
        async with asyncio.timeout(timeout):
            while not await condition():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise StackctlError("reload-unconfirmed", f"waited {timeout:g} s for {what}") from None
