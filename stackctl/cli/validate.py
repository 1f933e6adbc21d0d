"""`stackctl validate`: check a spec and change nothing."""

from __future__ import annotations

import click

from stackctl.cli.options import engine_option, formatted, open_project, stack_argument, talking


@click.command(help="Check a spec: file, line and column of everything that is wrong. Needs no engine.")
@stack_argument
@engine_option
@formatted
@talking
@click.pass_context
def command(
    context: click.Context, stack: str | None, engine: str | None, format_: str, progress: str, quiet: bool
) -> None:
    from stackctl.cli.telling import Answered
    from stackctl.errors import SpecError
    from stackctl.report.json import document, problems_json

    try:
        project = open_project(context, stack, progress, quiet, engine)
        project.say_unsaid()
    except SpecError as error:
        if format_ != "json":
            raise
        found = {"id": error.id, "hint": error.hint, "problems": problems_json(error)}
        click.echo(document("validate", {"valid": False, "stack": None, **found}))
        raise Answered(error) from error
    if format_ == "json":
        click.echo(document("validate", {"valid": True, "stack": project.stack.name, "problems": []}))
    else:
        click.echo(f"{project.stack.origin}: valid, stack {project.stack.name}")
