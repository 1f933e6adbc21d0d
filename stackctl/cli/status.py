"""`stackctl status`: the parts around the services."""

from __future__ import annotations

import click

from stackctl.cli.options import formatted, open_project, stack_argument, verbose_option


@click.command(help="Show Consul's members, leader and raft peers, the agents' health, each balancer's revision.")
@stack_argument
@formatted
@verbose_option
@click.pass_context
def command(context: click.Context, stack: str | None, format_: str) -> None:
    from stackctl.app.status import status
    from stackctl.report.json import document
    from stackctl.report.status import status_json, status_text

    project = open_project(context, stack)
    seen = status(project)
    click.echo(document("status", status_json(seen)) if format_ == "json" else status_text(seen))
