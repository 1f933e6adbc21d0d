"""One command at a time: a lock that says who has it, and that the kernel lets go of with the process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from stackctl.errors import StackctlError


@contextlib.contextmanager
def locked(file: Path, command: str, what: str) -> Iterator[None]:
    """Have a file's lock for a command on a stack or a lab; raises `StackctlError` (`stack-locked`, `lab-locked`)
    naming who has it.

    However the process ends, the lock goes with it: there is nothing to clean up.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            opened.seek(0)
            holder = opened.read().strip() or "another command"
            raise StackctlError(
                f"{what}-locked",
                f"{holder} works on this {what}",
                where=str(file),
                hint="wait for it to end, or end it; the lock goes with it",
            ) from None
        if not os.fstat(opened.fileno()).st_nlink:  # whoever had it before removed it, and all that it is for
            with locked(file, command, what):
                yield
            return
        opened.truncate(0)
        opened.write(f"`stackctl {command}` (process {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        opened.flush()
        yield
