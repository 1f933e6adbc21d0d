"""The `docker` command, run for what the SDK does not know: stacks, and the output of tasks."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence

from stackctl.engine.client import docker_cli
from stackctl.errors import StackctlError


def run(id: str, words: Sequence[str], where: str) -> None:
    """Run it to its end; raises `StackctlError` with the last thing that it said."""
    command = (docker_cli(), *words)
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        message = said[-1] if said else f"docker {words[0]} ended with {done.returncode} and said nothing"
        raise StackctlError(id, message, where=where, hint="stackctl doctor")


def lines_of(commands: Sequence[Sequence[str]]) -> Iterator[str]:
    """The output of several, line by line as it comes; all of them end with the iterator."""
    lines: queue.Queue[str | None] = queue.Queue(maxsize=1000)
    running = [
        subprocess.Popen(
            (docker_cli(), *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        for words in commands
    ]

    def read(process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    for process in running:
        threading.Thread(target=read, args=(process,), daemon=True).start()
    try:
        left = len(running)
        while left:
            line = lines.get()
            if line is None:
                left -= 1
            else:
                yield line
    finally:
        for process in running:
            process.kill()
            process.wait()
