"""`stackctl scale SERVICE=N`: more or fewer instances, no request lost."""

from __future__ import annotations

import re

import click

from stackctl.cli.options import formatted, open_project, talking, waiting_options, yes_option
from stackctl.cli.outcome import show_dry_run, show_result

MOST = 1000  # instances of one service, as in the spec


@click.command(help="Change the number of instances: `stackctl scale [STACK] web=3 api=2`.")
@click.argument("words", nargs=-1, required=True, metavar="[STACK] SERVICE=N…")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@waiting_options
@formatted
@talking
@yes_option
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    dry_run: bool,
    wait: bool,
    timeout: float,
    stable: float,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.launching import Waiting
    from stackctl.app.scale import plan_scale, scale, scaled

    stacks = [word for word in words if "=" not in word]
    changes = _changes([word for word in words if "=" in word])
    if len(stacks) > 1 or not changes:
        raise click.UsageError("give at most one STACK and at least one SERVICE=N, as in `stackctl scale web=3`")
    project = open_project(context, stacks[0] if stacks else None, progress, quiet)
    if dry_run:
        show_dry_run("scale", format_, plan_scale(scaled(project, changes), changes).plan)
        return
    show_result(context, "scale", format_, project, scale(project, changes, Waiting(wait, timeout, stable)))


def _changes(words: list[str]) -> dict[str, int]:
    changes: dict[str, int] = {}
    for word in words:
        name, _, number = word.partition("=")
        if not re.fullmatch(r"[0-9]{1,9}", number) or int(number) > MOST:
            raise click.BadParameter(f"the number of instances is a whole number from 0 to {MOST}", param_hint=word)
        if name in changes:
            raise click.BadParameter(f"{name} is given twice", param_hint=word)
        changes[name] = int(number)
    return changes
