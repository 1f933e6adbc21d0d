"""How commands that change a stack, or prove it, print what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stackctl.cli.options import coloured

if TYPE_CHECKING:
    from stackctl.app.project import Project
    from stackctl.app.up import UpResult
    from stackctl.domain.plan import Plan
    from stackctl.domain.verdict import Verdict

NOT_CONVERGED = 3


def show_dry_run(command: str, format_: str, plan: Plan) -> None:
    """The plan of a command that was told to change nothing."""
    from stackctl.report.json import document, plan_json

    click.echo(document(command, {"dry_run": True, **plan_json(plan)}) if format_ == "json" else str(plan))


def show_result(context: click.Context, command: str, format_: str, project: Project, result: UpResult) -> None:
    """What was done and the verdict; exits with 3 unless it is `converged`."""
    from stackctl.report.json import document, plan_json, verdict_json

    stack, verdict = project.stack, result.verdict
    if format_ == "json":
        content = {**plan_json(result.plan), "verdict": None, "converged": None}
        if verdict:
            content |= verdict_json(stack.name, stack.engine, verdict)
        click.echo(document(command, content))
    elif verdict:
        show_verdict(project, verdict)
    else:
        click.echo(f"{stack.name}: {len(result.plan.operations)} operations done, not waited for")
    if verdict and verdict.outcome != "converged":
        context.exit(NOT_CONVERGED)


def show_verdict(project: Project, verdict: Verdict) -> None:
    """The table that a person reads at a glance."""
    from stackctl.report.table import verdict_table

    click.echo(coloured(verdict_table(project.stack.name, project.stack.engine, verdict)))
