"""A child process under process 1: its signals, its exit status, and the orphans that it leaves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence

# Python ignores these for itself; a child expects to be ended by them.
RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Child:
    """A command that runs; raises OSError where it can't be started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = loop.create_future()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        self.pid = os.posix_spawnp(command[0], list(command), environment, setsigdef=RESTORED)

    async def ended(self) -> int:
        """Wait for its end: its exit status, 128 and more where a signal has ended it."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Pass a signal on."""
        if not self._ended.done():
            os.kill(self.pid, number)

    def _reap(self) -> None:
        # Every child, not only this one: orphans become children of process 1.
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid and not self._ended.done():
                code = os.waitstatus_to_exitcode(status)
                self._ended.set_result(code if code >= 0 else 128 - code)
