"""`stackctl register`: one endpoint written to the registry by hand."""

from __future__ import annotations

import click

from stackctl.cli.options import Duration, open_project, talking


@click.command(
    help="Register an endpoint that stackctl does not run: `stackctl register [STACK] SERVICE ID ADDRESS:PORT`. The "
    "registry checks it by connecting, or by --check-http."
)
@click.argument("words", nargs=-1, required=True, metavar="[STACK] SERVICE ID ADDRESS:PORT")
@click.option("--check-http", metavar="PATH", help="Ask for this path instead of connecting.")
@click.option("--interval", type=Duration(), default=1.0, metavar="TIME", help="How often.  [default: 1s]")
@click.option("--check-timeout", type=Duration(), default=1.0, metavar="TIME", help="For an answer.  [default: 1s]")
@click.option(
    "--deregister-after", type=Duration(), default=5400.0, metavar="TIME", help="Forgotten after.  [default: 90m]"
)
@click.option("--tag", "tags", multiple=True, help="May be repeated.")
@click.option("--meta", "metas", multiple=True, metavar="KEY=VALUE", help="May be repeated: route=/api, weight=5.")
@talking
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    check_http: str | None,
    interval: float,
    check_timeout: float,
    deregister_after: float,
    tags: tuple[str, ...],
    metas: tuple[str, ...],
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app.asked import asked
    from stackctl.app.registering import register
    from stackctl.domain.stack import Check

    kind, path = ("tcp", "/") if check_http is None else ("http", check_http)
    check = Check(kind, path, interval, check_timeout, deregister_after)  # type: ignore[arg-type]
    stack, registration = asked(words, check, tags, metas)
    project = open_project(context, stack, progress, quiet)
    register(project, registration)
    click.echo(f"{registration.id} is registered as {registration.service} at {registration.endpoint}")
