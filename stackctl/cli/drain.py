"""`stackctl drain`: instances taken out of every balancer, running on."""

from __future__ import annotations

import click

from stackctl.cli.options import open_project, talking


@click.command(
    help="Take instances out of every balancer and leave them running, until `stackctl undrain`: "
    "`stackctl drain [STACK] INSTANCE…`."
)
@click.argument("words", nargs=-1, required=True, metavar="[STACK] INSTANCE…")
@click.option("--reason", default="maintenance", show_default=True, help="Shown by `verify` and in the registry.")
@talking
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], reason: str, progress: str, quiet: bool) -> None:
    from stackctl.app.registering import drain, split_words

    stack, ids = split_words(words, context.obj)
    drain(open_project(context, stack, progress, quiet), ids, reason)
    click.echo("\n".join(f"{id} is out of every balancer" for id in ids))
