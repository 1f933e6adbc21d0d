"""`stackctl schema`: the JSON Schema of stack.yaml, for editors."""

from __future__ import annotations

import json

import click


@click.command(help="Print the JSON Schema of stack.yaml, for editors and other checkers.")
def command() -> None:
    from stackctl.spec.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
