"""`stackctl down`: remove a stack."""

from __future__ import annotations

import click

from stackctl.cli.options import formatted, open_project, stack_argument, talking, yes_option


@click.command(help="Remove the stack's containers, networks and rendered files; volumes only with --volumes.")
@stack_argument
@click.option("--volumes", is_flag=True, help="Remove volumes too: the registry's state is lost.")
@click.option("--dry-run", is_flag=True, help="List what would be removed.")
@formatted
@talking
@yes_option
@click.pass_context
def command(
    context: click.Context,
    stack: str | None,
    volumes: bool,
    dry_run: bool,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.down import down
    from stackctl.report.json import document

    project = open_project(context, stack, progress, quiet)
    if dry_run:
        gone = tuple(instance.id for instance in project.engine.observe().instances)
    else:
        gone = down(project, volumes=volumes)
    if format_ == "json":
        click.echo(document("down", {"stack": project.stack.name, "dry_run": dry_run, "removed": list(gone)}))
    elif dry_run:
        click.echo("\n".join(f"remove   {id}" for id in gone) or "nothing to do")
    else:
        click.echo(f"{project.stack.name} is down" if gone else f"{project.stack.name} was not up")
