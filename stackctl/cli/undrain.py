"""`stackctl undrain`: drained instances brought back."""

from __future__ import annotations

import click

from stackctl.cli.options import open_project, talking


@click.command(help="Bring drained instances back: `stackctl undrain [STACK] INSTANCE…`.")
@click.argument("words", nargs=-1, required=True, metavar="[STACK] INSTANCE…")
@talking
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], progress: str, quiet: bool) -> None:
    from stackctl.app.registering import split_words, undrain

    stack, ids = split_words(words, context.obj)
    undrain(open_project(context, stack, progress, quiet), ids)
    click.echo("\n".join(f"{id} is back" for id in ids))
