"""The engine's kill events, read while they happen: it remembers only its last 256 events of any kind."""

from __future__ import annotations

import asyncio
import subprocess
from types import TracebackType
from typing import Self

from bench.running import DOCKER, PREFIX


class Kills:
    """When the engine told that a container of this run was killed, in seconds since the epoch, by its name."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        form = "{{.TimeNano}} {{.Actor.Attributes.name}}"
        self._process = await asyncio.create_subprocess_exec(
            *(DOCKER, "events", "--filter", "event=kill", "--format", form),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading and self._process:
            self._reading.cancel()
            self._process.kill()
            await self._process.wait()

    async def _read(self) -> None:
        assert self._process and self._process.stdout
        async for line in self._process.stdout:
            at, _, name = line.decode().strip().partition(" ")
            if name.startswith(PREFIX):
                self.at[name] = int(at) / 1e9
