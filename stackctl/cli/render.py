"""`stackctl render`: every generated file, without launching anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackctl.cli.options import formatted, open_project, stack_argument, talking

if TYPE_CHECKING:
    from stackctl.rendering.eject import Tool


@click.command(help="Write every generated file. `docker compose -f DIR/compose.yaml up` runs them without stackctl.")
@stack_argument
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Default: .stackctl/STACK/.")
@click.option(
    "--for",
    "tool",
    type=click.Choice(("consul-template", "confd")),
    help="Instead: the balancer's routes as this tool's template, with its configuration and command.",
)
@formatted
@talking
@click.pass_context
def command(
    context: click.Context,
    stack: str | None,
    output: Path | None,
    tool: Tool | None,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.render import render
    from stackctl.report.json import document

    project = open_project(context, stack, progress, quiet)
    project.say_unsaid()
    folder, names = render(project, output, tool)
    if format_ == "json":
        click.echo(document("render", {"stack": project.stack.name, "folder": str(folder), "files": list(names)}))
    else:
        click.echo("\n".join(str(folder / name) for name in names))
