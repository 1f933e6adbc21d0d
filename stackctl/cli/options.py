"""Options and arguments that several commands share, and how a command gets its project."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stackctl.cli.display import MODES, progress

if TYPE_CHECKING:
    from stackctl.app.project import Project

F = TypeVar("F", bound=Callable[..., Any])
DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?\Z")


class Duration(click.ParamType):  # type: ignore[type-arg]
    """`90s`, `1m30s`, `500ms`, or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        match = DURATION.match(value) if value else None
        if match is None:
            self.fail(f"{value!r} is not a duration like 90s, 1m30s or 500ms", param, ctx)
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


stack_argument = click.argument("stack", required=False)


# Read by `exits` from the arguments themselves, because errors end the command before it could say.
verbose_option = click.option("-v", "--verbose", is_flag=True, expose_value=False, help="Show tracebacks of errors.")
# For scripts that pass it everywhere: stackctl never asks.
yes_option = click.option("-y", "--yes", is_flag=True, expose_value=False, help="Accepted; nothing is ever asked.")


def talking(function: F) -> F:
    """--progress, -q and -v: how much is said on stderr."""
    function = verbose_option(function)
    function = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")(function)
    return click.option(
        "--progress",
        type=click.Choice(MODES),
        default="auto",
        show_default=True,
        help="How progress is shown on stderr.",
    )(function)


def formatted(function: F) -> F:
    """--format: what is printed on stdout."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(("table", "json")),
        default="table",
        show_default=True,
        help="On stdout.",
    )(function)


def waiting_options(function: F) -> F:
    """--wait, --timeout, --stable."""
    function = click.option(
        "--stable", type=Duration(), default=0.2, metavar="TIME", help="How long agreement must hold.  [default: 200ms]"
    )(function)
    function = click.option(
        "--timeout", type=Duration(), default=120.0, metavar="TIME", help="How long to wait for it.  [default: 2m]"
    )(function)
    return click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until converged.")(function)


images_option = click.option(
    "--images",
    type=click.Choice(("auto", "registry", "debian")),
    default="auto",
    envvar="STACKCTL_IMAGES",
    show_default=True,
    help="Where Consul and the base come from: what is present, a registry, or Debian's packages.",
)


engine_option = click.option(
    "--engine", type=click.Choice(("compose", "swarm", "hosts")), help="Instead of the spec's engine."
)


def open_project(
    context: click.Context, stack: str | None, mode: str = "auto", quiet: bool = False, engine: str | None = None
) -> Project:
    """The project that the arguments name; raises `SpecError` or `UsageError`."""
    from stackctl.app.opening import open_stack

    said = progress(mode, quiet)  # type: ignore[arg-type]
    return open_stack(stack, context.obj, os.environ, Path(), said, engine=engine or "")


def coloured(text: str) -> str:
    """A verdict's headline with its outcome in colour, on a terminal that wants it."""
    if "NO_COLOR" in os.environ or not sys.stdout.isatty():
        return text
    for word, colour in (("converged", "green"), ("diverged", "red"), ("unstable", "yellow"), ("timeout", "yellow")):
        text = re.sub(rf"(?<=· ){word}\b", click.style(word, fg=colour, bold=True), text, count=1)
    return text
