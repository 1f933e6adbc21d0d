"""`stackctl logs`: what the instances print."""

from __future__ import annotations

import click

from stackctl.cli.options import open_project, verbose_option


def _lines(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if value != "all" and not value.isdecimal():
        raise click.BadParameter(f"{value!r} is neither a number of lines nor `all`", context, parameter)
    return value


@click.command(
    help="Show the instances' output: `stackctl logs [STACK] [SERVICE…]`. "
    "A first word that names a bundled stack, or is a path, is STACK."
)
@click.argument("words", nargs=-1, metavar="[STACK] [SERVICE…]")
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--tail", default="all", metavar="N", callback=_lines, help="Lines from the end of each.  [default: all]")
@verbose_option
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], follow: bool, tail: str) -> None:
    from stackctl.app.logs import logs, split_words

    stack, services = split_words(words, context.obj)
    project = open_project(context, stack)
    for line in logs(project, services, tail=tail, follow=follow):
        click.echo(line, nl=False)
