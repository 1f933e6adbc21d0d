"""`stackctl verify`: the proof."""

from __future__ import annotations

from pathlib import Path

import click

from stackctl.cli.options import Duration, formatted, open_project, stack_argument, talking
from stackctl.cli.outcome import NOT_CONVERGED, show_verdict


@click.command(help="Prove that engine, registry, each balancer's running config and real traffic agree.")
@stack_argument
@click.option(
    "--timeout",
    type=Duration(),
    metavar="TIME",
    help="Wait this long for agreement. Without it the answer is about now: what holds for --stable.",
)
@click.option("--stable", type=Duration(), default=1.0, metavar="TIME", help="How long it must hold.  [default: 1s]")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write a JUnit report.")
@formatted
@talking
@click.pass_context
def command(
    context: click.Context,
    stack: str | None,
    timeout: float | None,
    stable: float,
    junit: Path | None,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.verify import verify
    from stackctl.report.json import document, verdict_json

    project = open_project(context, stack, progress, quiet)
    verdict = verify(project, timeout=timeout, stable=stable)
    if junit:
        from stackctl.report.junit import write

        write(junit, project.stack.name, verdict)
    if format_ == "json":
        click.echo(document("verify", verdict_json(project.stack.name, project.stack.engine, verdict)))
    else:
        show_verdict(project, verdict)
    if verdict.outcome != "converged":
        context.exit(NOT_CONVERGED)
