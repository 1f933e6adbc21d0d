"""`stackctl list`: the bundled stacks."""

from __future__ import annotations

import click

from stackctl.cli.options import formatted


@click.command("list", help="List the bundled stacks.")
@formatted
def command(format_: str) -> None:
    from stackctl.report.json import document
    from stackctl.report.table import Table
    from stackctl.spec.find import bundled_stacks

    stacks = bundled_stacks()
    if format_ == "json":
        content = [{"name": s.name, "description": s.description, "path": str(s.path)} for s in stacks]
        click.echo(document("list", {"stacks": content}))
    else:
        click.echo(Table(("stack", "what it is"), tuple((s.name, s.description) for s in stacks)))
