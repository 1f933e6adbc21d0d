"""`stackctl deploy SERVICE`: new instances in the place of the old ones, rolled back when they do not serve."""

from __future__ import annotations

import re
from typing import Any

import click

from stackctl.cli.options import Duration, formatted, images_option, open_project, talking, yes_option
from stackctl.cli.outcome import show_dry_run, show_result


class Percent(click.ParamType):  # type: ignore[type-arg]
    """`10%`, or `10`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,2})%?", value)
        if match is None or int(match[1]) == 0:
            self.fail(f"{value!r} is not a whole percent from 1% to 99%", param, ctx)
        return int(match[1])


@click.command(
    help="Replace a service's instances by new ones, a few at a time, once every balancer serves the new ones; "
    "rolled back when they do not serve: `stackctl deploy [STACK] web --image shop:2`."
)
@click.argument("words", nargs=-1, required=True, metavar="[STACK] SERVICE")
@click.option("--image", metavar="IMAGE", help="In the place of the spec's, until the next `up`.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="How many are replaced at once.",
)
@click.option("--force", is_flag=True, help="Also instances whose definition is the same.")
@click.option(
    "--canary",
    type=Percent(),
    metavar="P%",
    help="One new instance beside the old ones, which gets this share of the requests.",
)
@click.option("--promote", is_flag=True, help="What the canary is becomes every instance, and the canary goes.")
@click.option("--abort", is_flag=True, help="The canary goes.")
@click.option("--dry-run", is_flag=True, help="Print the operations and change nothing.")
@click.option(
    "--timeout",
    type=Duration(),
    default=120.0,
    metavar="TIME",
    help="How long a new instance may take to serve.  [default: 2m]",
)
@click.option(
    "--stable", type=Duration(), default=0.5, metavar="TIME", help="How long agreement must hold.  [default: 500ms]"
)
@images_option
@formatted
@talking
@yes_option
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    image: str | None,
    parallel: int,
    force: bool,
    canary: int | None,
    promote: bool,
    abort: bool,
    dry_run: bool,
    timeout: float,
    stable: float,
    images: str,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.deploying import deploy, plan_deploy
    from stackctl.app.deployment import Request
    from stackctl.app.launching import Waiting

    if len(words) > 2:
        raise click.UsageError("give at most one STACK and one SERVICE, as in `stackctl deploy web`")
    if sum((canary is not None, promote, abort)) > 1:
        raise click.UsageError("--canary, --promote and --abort exclude each other")
    if (promote or abort) and (image is not None or force):
        raise click.UsageError("--promote and --abort are about the canary that runs; give no --image or --force")
    if image is not None:
        _check_image(image)
    project = open_project(context, words[0] if len(words) == 2 else None, progress, quiet)
    request = Request(words[-1], image or "", parallel, force, canary or 0, promote, abort)
    if dry_run:
        show_dry_run("deploy", format_, plan_deploy(project, request))
        return
    result = deploy(project, request, Waiting(True, timeout, stable), images=images)
    show_result(context, "deploy", format_, project, result)


def _check_image(image: str) -> None:
    from stackctl.spec.scalars import image as checked

    try:
        checked(image)
    except ValueError as error:
        raise click.UsageError(f"--image: {error}") from None
