"""A probe inside the stack's network: one long-lived `docker exec` that answers questions line by line."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from stackctl.domain.host import HERE, Host
from stackctl.engine.commands import docker_command
from stackctl.errors import REGISTRY_FIXED, NotConverged, StackctlError

PROBE = ("python3", "-m", "stackctl.agents.probe")


class Inside:
    """A conversation with the probe in one container; one question at a time.

    It works the same for a local engine, a remote context and Docker Desktop, because nothing but the engine's own API
    is needed from where stackctl runs.
    """

    def __init__(self, container: str, host: Host = HERE, command: Sequence[str] = PROBE) -> None:
        self.container = container
        self.host = host
        self.command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._ended = False

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *docker_command(self.host),
            "exec",
            "-i",
            self.container,
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=16 * 1024 * 1024,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if self._process:
            await self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process is not None and self._process.returncode is None and not self._ended

    def _end(self) -> None:
        """No more questions: a late answer would be taken for the next one's. The probe inside ends with its input."""
        self._ended = True
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def ask(self, question: str, *, timeout: float = 15.0, **words: Any) -> Any:
        """One question; raises `StackctlError` (`probe-lost`, `probe-failed`) where no answer comes in `timeout` s,
        `NotConverged` where a fixed list would have to change."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise StackctlError("probe-lost", "the probe was not started", where=self.container)
        async with self._turn:
            try:
                process.stdin.write(json.dumps({"ask": question, **words}).encode() + b"\n")
                await process.stdin.drain()
                # Not wait_for: on Python 3.11 it can swallow a cancellation, and Ctrl-C with it.
                async with asyncio.timeout(timeout):
                    line = await process.stdout.readline()
            except (ConnectionError, TimeoutError) as error:
                self._end()
                raise StackctlError(
                    "probe-lost", f"no answer to {question!r}: {error!r}", where=self.container
                ) from error
            except asyncio.CancelledError:
                self._end()
                raise
        if not line:
            raise StackctlError("probe-lost", await self._last_words(), where=self.container)
        try:
            answer = json.loads(line)
        except ValueError as error:  # an answer cut short, or the engine's own words about a container that ended
            self._end()
            said = line.decode(errors="replace").strip()[:200]
            raise StackctlError("probe-lost", f"it said {said!r}", where=self.container) from error
        if "error" in answer:
            if answer["id"] == REGISTRY_FIXED:
                raise NotConverged(answer["id"], answer["error"], hint=answer["hint"])
            raise StackctlError("probe-failed", answer["error"], where=self.container)
        return answer["answer"]

    async def _last_words(self) -> str:
        process = self._process
        if process is None or process.stderr is None:
            return "the probe ended"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                words = await process.stderr.read()
            return words.decode(errors="replace").strip().splitlines()[-1] if words.strip() else "the probe ended"
        return "the probe ended"
