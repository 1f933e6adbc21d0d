"""Progress on stderr, in the way that the reader wants it: tty, plain, json or quiet."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from typing import Literal

import click

from stackctl.ports import Progress

Mode = Literal["auto", "tty", "plain", "json", "quiet"]
MODES = ("auto", "tty", "plain", "json", "quiet")


def progress(mode: Mode, quiet: bool = False) -> Progress:
    """The display for this mode; `auto` is tty on a terminal, else plain."""
    if quiet or mode == "quiet":
        return Quiet()
    if mode == "json":
        return JsonLines()
    if mode == "tty" or (mode == "auto" and sys.stderr.isatty()):
        return Terminal()
    return Plain()


class Plain:
    """A line a step, for logs."""

    def step(self, subject: str, message: str) -> None:
        click.echo(f"{subject}: {message}", err=True)

    def warn(self, message: str) -> None:
        click.echo(f"warning: {message}", err=True)


class Terminal:
    """A line a step, the subject in colour; the next step of the subject in the last line takes that line's place."""

    def __init__(self) -> None:
        self._last = ""
        self._colour = "NO_COLOR" not in os.environ and sys.stderr.isatty()

    def step(self, subject: str, message: str) -> None:
        if self._last == subject and sys.stderr.isatty():
            click.echo("\x1b[1A\x1b[2K", err=True, nl=False, color=True)
        width = shutil.get_terminal_size().columns
        name = click.style(subject, fg="cyan") if self._colour else subject
        click.echo(f"{name} {message[: max(width - len(subject) - 1, 20)]}", err=True)
        self._last = subject

    def warn(self, message: str) -> None:
        label = click.style("warning:", fg="yellow") if self._colour else "warning:"
        click.echo(f"{label} {message}", err=True)
        self._last = ""


class JsonLines:
    """A JSON object a step, for programs."""

    def step(self, subject: str, message: str) -> None:
        click.echo(json.dumps({"at": round(time.time(), 3), "subject": subject, "message": message}), err=True)

    def warn(self, message: str) -> None:
        click.echo(json.dumps({"at": round(time.time(), 3), "warning": message}), err=True)


class Quiet:
    """Nothing; errors still come."""

    def step(self, subject: str, message: str) -> None:
        """Not shown."""

    def warn(self, message: str) -> None:
        """Not shown."""
