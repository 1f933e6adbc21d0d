"""`stackctl version`: versions, of stackctl and of what it runs on."""

from __future__ import annotations

import platform

import click

from stackctl import __version__
from stackctl.cli.options import formatted


@click.command(help="Print versions of stackctl, Python and the engine.")
@formatted
def command(format_: str) -> None:
    from stackctl.app.doctor import engine_versions
    from stackctl.report.json import document

    versions = {"stackctl": __version__, "python": platform.python_version(), **engine_versions()}
    if format_ == "json":
        click.echo(document("version", versions))
    else:
        click.echo("\n".join(f"{name} {version}" for name, version in versions.items()))
