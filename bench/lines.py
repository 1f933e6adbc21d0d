"""A command whose lines are read while it runs, and that ends when nobody wants to read on."""

from __future__ import annotations

import asyncio
import subprocess
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Lines(ABC):
    """The command's lines, each read as soon as it is there; its input is open for as long as somebody reads."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @abstractmethod
    def read(self, line: str) -> None:
        """What one line says."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**22, start_new_session=True
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading and self._process:
            self._reading.cancel()
            self._process.kill()  # one inside a container ends with its input
            await self._process.wait()

    async def _read(self) -> None:
        assert self._process and self._process.stdout
        async for line in self._process.stdout:
            self.read(line.decode().rstrip("\n"))
