"""`stackctl doctor`: what this machine has and lacks."""

from __future__ import annotations

import click

from stackctl.cli.options import formatted, verbose_option


@click.command(help="Check this machine for what stackctl needs; exits with 4 where the engine does not answer.")
@formatted
@verbose_option
@click.pass_context
def command(context: click.Context, format_: str) -> None:
    from stackctl.app.doctor import examine
    from stackctl.report.json import document
    from stackctl.report.table import Table

    checks = examine()
    if format_ == "json":
        content = [{"name": c.name, "ok": c.ok, "found": c.found, "hint": c.hint} for c in checks]
        click.echo(document("doctor", {"ok": all(c.ok for c in checks), "checks": content}))
    else:
        rows = tuple((c.name, "ok" if c.ok else "missing", c.found if c.ok else c.hint) for c in checks)
        click.echo(Table(("check", "state", "what"), rows))
    if failed := [check for check in checks if not check.ok]:
        context.exit(max(check.exit_code for check in failed))
