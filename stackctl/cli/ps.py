"""`stackctl ps`: the instances."""

from __future__ import annotations

import click

from stackctl.cli.options import formatted, open_project, stack_argument, verbose_option


@click.command(help="List the stack's instances with state, endpoint and age.")
@stack_argument
@formatted
@verbose_option
@click.pass_context
def command(context: click.Context, stack: str | None, format_: str) -> None:
    from stackctl.app.ps import ps
    from stackctl.report.json import document
    from stackctl.report.table import Table

    project = open_project(context, stack)
    found = ps(project)
    listed = found.instances
    if format_ == "json":
        content = {"stack": project.stack.name, "instances": [item.to_json() for item in listed]}
        click.echo(document("ps", {**content, "unreachable": dict(found.unreachable)}))
    else:
        several = any(item.instance.node for item in listed)
        titles = ("instance", *(("node",) if several else ()), "service", "role", "state", "endpoint", "ports", "age")
        click.echo(Table(titles, tuple(item.row(with_node=several) for item in listed)))
