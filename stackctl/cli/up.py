"""`stackctl up`: launch a stack and wait until it has converged."""

from __future__ import annotations

import click

from stackctl.cli.options import (
    engine_option,
    formatted,
    images_option,
    open_project,
    stack_argument,
    talking,
    waiting_options,
    yes_option,
)
from stackctl.cli.outcome import show_dry_run, show_result


@click.command(help="Render, build or find images, launch what is missing, and wait until converged.")
@stack_argument
@engine_option
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@waiting_options
@images_option
@formatted
@talking
@yes_option
@click.pass_context
def command(
    context: click.Context,
    stack: str | None,
    engine: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float,
    stable: float,
    images: str,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.images import known_images
    from stackctl.app.launching import Waiting
    from stackctl.app.planned import make_plan
    from stackctl.app.project import complete
    from stackctl.app.up import up

    project = open_project(context, stack, progress, quiet, engine)
    project.say_unsaid()
    if dry_run:
        show_dry_run("up", format_, make_plan(complete(project), known_images(project)).plan)
        return
    show_result(context, "up", format_, project, up(project, Waiting(wait, timeout, stable), images=images))
