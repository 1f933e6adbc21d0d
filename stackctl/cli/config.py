"""`stackctl config [BALANCER]`: the nginx config that runs."""

from __future__ import annotations

import click

from stackctl.cli.options import formatted, open_project, verbose_option


@click.command(help="Print the nginx config that a balancer really runs: `stackctl config [STACK] [BALANCER]`.")
@click.argument("words", nargs=-1, metavar="[STACK] [BALANCER]")
@formatted
@verbose_option
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], format_: str) -> None:
    from stackctl.app.config import config, split_words
    from stackctl.report.json import document

    stack, balancer = split_words(words)
    project = open_project(context, stack)
    found = config(project, balancer)
    if format_ == "json":
        content = {"balancer": found.balancer, "revision": found.revision, "config": found.text}
        click.echo(document("config", {"stack": project.stack.name, **content}))
    else:
        click.echo(found.text, nl=False)
