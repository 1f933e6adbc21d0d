"""Walkthroughs are carried out as they are written: every ```console block of a page, in order, in one shell.

A line that begins with `$ ` is a command, continued on lines with `> ` where it ends in a backslash. The lines after it
are what it promises to print, on stdout and stderr: `…` within a line stands for any text, a line `…` for any lines,
also none. A command promises to exit with 0, unless its last line says another code: `(exit 3)`.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ANY = "…"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\(exit (\d+)\)")


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page and what it promises; `line` is where it stands."""

    line: int
    command: str
    wanted: tuple[str, ...] = ()
    code: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended; `code` is None where it had to be ended."""

    lines: tuple[str, ...]
    code: int | None


def steps(page: str) -> tuple[Step, ...]:
    """The commands of a page; ValueError for a promise without a command."""
    found: list[Step] = []
    for block in BLOCK.finditer(page):
        first = page.count("\n", 0, block.start(1)) + 1
        lines = [*enumerate(block[1].splitlines(), first)]
        starts = [index for index, (_, line) in enumerate(lines) if line.startswith("$ ")]
        if lines and starts[:1] != [0]:
            raise ValueError(f"line {first}: a console block begins with a command, `$ …`")
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            found.append(_step(lines[start][0], [line for _, line in lines[start:end]]))
    return tuple(found)


def _step(number: int, lines: Sequence[str]) -> Step:
    command, rest = lines[0].removeprefix("$ "), list(lines[1:])
    while command.endswith("\\") and rest and rest[0].startswith("> "):
        command += "\n" + rest.pop(0).removeprefix("> ")
    code = EXIT.fullmatch(rest[-1]) if rest else None
    return Step(number, command, tuple(rest[:-1] if code else rest), int(code[1]) if code else 0)


def mismatch(wanted: Sequence[str], got: Sequence[str]) -> int | None:
    """None where the output is as promised; else how many of the promise's lines are there before it breaks."""
    reached = {0}  # how many lines of the output the promise so far may have used up
    for index, line in enumerate(wanted):
        if line == ANY:
            reached = set(range(min(reached), len(got) + 1))
        else:
            reached = {used + 1 for used in reached if used < len(got) and _like(line, got[used])}
        if not reached:
            return index
    return None if len(got) in reached else len(wanted)


def _like(pattern: str, line: str) -> bool:
    parts = map(re.escape, pattern.rstrip().split(ANY))
    return re.fullmatch(".*".join(parts), line.rstrip()) is not None


def complaint(page: str, step: Step, outcome: Outcome) -> str:
    """What is wrong with a step, for people; empty where nothing is."""
    broken = mismatch(step.wanted, outcome.lines)
    if broken is None and outcome.code == step.code:
        return ""
    ended = "it had to be ended" if outcome.code is None else f"exit {outcome.code}"
    told = [f"{page}:{step.line}: $ {step.command}"]
    if outcome.code == 127:
        told.append("this machine has no such command; the walkthrough needs it")
    if broken is not None:
        promise = repr(step.wanted[broken]) if broken < len(step.wanted) else "the end of the output"
        told.append(f"not where it was promised: {promise}")
    told += [f"wanted (exit {step.code}):", *(f"    {line}" for line in step.wanted)]
    told += [f"got ({ended}):", *(f"    {line}" for line in outcome.lines)]
    return "\n".join(told)


def lacking(walk: Sequence[Step], tools: Sequence[str] = ("curl",)) -> tuple[str, ...]:
    """The tools that a walkthrough uses and this machine does not have."""
    words = {word for step in walk for word in re.findall(r"[\w-]+", step.command)}
    return tuple(tool for tool in tools if tool in words and not shutil.which(tool))


@dataclass(frozen=True, slots=True)
class Shell:
    """A bash that commands are told to one after the other, so that `cd` and variables last."""

    process: subprocess.Popen[bytes]

    def run(self, command: str, timeout: float) -> Outcome:
        """Run a command to its end, or end the shell after `timeout` seconds."""
        assert self.process.stdin and self.process.stdout
        mark = uuid.uuid4().hex
        self.process.stdin.write(f"eval {shlex.quote(command)} </dev/null; printf '%s %d\\n' {mark} $?\n".encode())
        self.process.stdin.flush()
        end = re.compile(rb"%s (\d+)\n" % mark.encode())
        output, deadline = b"", time.monotonic() + timeout
        while not (ended := end.search(output)):
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self.process.stdout], [], [], left)
            piece = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not piece:  # too late, or the command ended the shell
                self.kill()
                return Outcome(_lines(output), None)
            output += piece
        return Outcome(_lines(output[: ended.start()]), int(ended[1]))

    def kill(self) -> None:
        """End the shell and whatever runs in it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it was faster
        self.process.wait()


def _lines(output: bytes) -> tuple[str, ...]:
    return tuple(output.decode("utf-8", "replace").splitlines())


@contextmanager
def shell(folder: Path, environ: Mapping[str, str]) -> Iterator[Shell]:
    """A shell in a folder."""
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with process:
        opened = Shell(process)
        try:
            yield opened
        finally:
            opened.kill()
