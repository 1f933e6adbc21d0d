"""`stackctl completion`: the script that makes a shell complete stackctl's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from stackctl.cli.group import stackctl


@click.command(help='Print a completion script, to be loaded by your shell: eval "$(stackctl completion bash)".')
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(stackctl, {}, "stackctl", "_STACKCTL_COMPLETE").source())
