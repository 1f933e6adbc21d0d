"""`stackctl deregister`: registrations removed by hand."""

from __future__ import annotations

import click

from stackctl.cli.options import open_project, talking


@click.command(
    help="Remove registrations: `stackctl deregister [STACK] ID…`. What a registrator owns it writes again, as long as "
    "the instance runs."
)
@click.argument("words", nargs=-1, required=True, metavar="[STACK] ID…")
@talking
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], progress: str, quiet: bool) -> None:
    from stackctl.app.registering import deregister, split_words

    stack, ids = split_words(words, context.obj)
    deregister(open_project(context, stack, progress, quiet), ids)
    click.echo("\n".join(f"{id} is deregistered" for id in ids))
