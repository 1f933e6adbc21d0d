"""`stackctl logs`: what the instances print."""

from __future__ import annotations

import click

from stackctl.cli.options import open_project, verbose_option


@click.command(
    help="Show the instances' output: `stackctl logs [STACK] [SERVICE…]`; a first word that is no service is STACK."
)
@click.argument("words", nargs=-1, metavar="[STACK] [SERVICE…]")
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--tail", default="all", metavar="N", help="Lines from the end of each.  [default: all]")
@verbose_option
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], follow: bool, tail: str) -> None:
    from stackctl.app.logs import logs, split_words

    stack, services = split_words(words, context.obj)
    project = open_project(context, stack)
    for stream, line in logs(project, services, tail=tail, follow=follow):
        click.echo(line.decode(errors="replace"), nl=False, err=stream == "stderr")
