"""`stackctl plan`: what `up` would change, and why."""

from __future__ import annotations

import click

from stackctl.cli.options import formatted, open_project, stack_argument, talking

PENDING = 6


@click.command(help="Show what `up` would change and why; changes nothing.")
@stack_argument
@click.option("--exit-code", is_flag=True, help="Exit with 6 when something would change.")
@formatted
@talking
@click.pass_context
def command(
    context: click.Context,
    stack: str | None,
    exit_code: bool,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.images import known_images
    from stackctl.app.planned import make_plan
    from stackctl.app.project import complete
    from stackctl.report.json import document, plan_json

    project = open_project(context, stack, progress, quiet)
    project.say_unsaid()
    plan = make_plan(complete(project), known_images(project)).plan
    click.echo(document("plan", plan_json(plan)) if format_ == "json" else str(plan))
    if exit_code and plan:
        context.exit(PENDING)
