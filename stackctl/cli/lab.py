"""`stackctl lab`: Docker nodes on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stackctl.cli.display import progress as display
from stackctl.cli.options import Duration, formatted, images_option, talking, verbose_option, yes_option

if TYPE_CHECKING:
    from stackctl.domain.lab import Lab


class LabName(click.ParamType):  # type: ignore[type-arg]
    """A name that fits into those of containers and contexts."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from stackctl.domain.lab import NAME

        if not NAME.match(str(value)):
            self.fail(f"{value!r} is not a name of at most 30 lower-case letters, digits and hyphens", param, ctx)
        return str(value)


name_option = click.option("--name", type=LabName(), default="lab", show_default=True, help="Which lab.")
timeout_option = click.option(
    "--timeout", type=Duration(), default=60.0, metavar="TIME", help="For engines to answer.  [default: 1m]"
)
number_argument = click.argument("number", type=click.IntRange(min=1), metavar="N")


@click.group(help="Docker nodes on this machine, each an engine of its own, for Swarm and for stacks on several hosts.")
def command() -> None:
    pass


@command.command(help="Make the lab have N nodes, each with a Docker context: stackctl-<name>-1, and so on.")
@click.argument("count", type=click.IntRange(1, 50), metavar="N")
@name_option
@click.option("--swarm", is_flag=True, help="Make the nodes a Swarm.")
@click.option("--managers", type=click.Choice(("1", "3")), help="How many nodes manage the Swarm.  [default: 1]")
@timeout_option
@images_option
@formatted
@talking
@yes_option
def up(
    count: int,
    name: str,
    swarm: bool,
    managers: str | None,
    timeout: float,
    images: str,
    format_: str,
    progress: str,
    quiet: bool,
) -> None:
    from stackctl.app import lab

    swarming = lab.Swarming(swarm, int(managers) if managers else None)
    shown = display(progress, quiet)  # type: ignore[arg-type]
    _show("lab-up", format_, (lab.up(name, count, swarming, images=images, timeout=timeout, progress=shown),))


@command.command("list", help="List nodes with condition, role in the Swarm, address and context.")
@click.option("--name", type=LabName(), help="Only this lab.")
@formatted
@verbose_option
def list_(name: str | None, format_: str) -> None:
    from stackctl.app import lab

    _show("lab-list", format_, lab.listing(name))


@command.command(help="Remove the lab: containers, network, volumes, contexts.")
@name_option
@talking
@yes_option
def down(name: str, progress: str, quiet: bool) -> None:
    from stackctl.app import lab

    gone = lab.down(name, display(progress, quiet))  # type: ignore[arg-type]
    click.echo(f"lab {name} is down" if gone else f"lab {name} was not up")


@command.command(help="Node N dies: everything on it is killed at once. Its data stays.")
@number_argument
@name_option
@talking
def stop(number: int, name: str, progress: str, quiet: bool) -> None:
    from stackctl.app import lab

    lab.stop(name, number, display(progress, quiet))  # type: ignore[arg-type]


@command.command(help="Node N comes back, on its data and under its address.")
@number_argument
@name_option
@timeout_option
@talking
def start(number: int, name: str, timeout: float, progress: str, quiet: bool) -> None:
    from stackctl.app import lab

    lab.start(name, number, timeout, display(progress, quiet))  # type: ignore[arg-type]


@command.command(
    help="Cut node N off from the other nodes and from clients; only its engine stays reachable from here."
)
@number_argument
@name_option
@click.option("--wholly", is_flag=True, help="Cut off this machine's way to its engine too.")
@talking
def partition(number: int, name: str, wholly: bool, progress: str, quiet: bool) -> None:
    from stackctl.app import lab

    lab.partition(name, number, display(progress, quiet), wholly=wholly)  # type: ignore[arg-type]


@command.command(help="Bring node N back to the network.")
@number_argument
@name_option
@talking
def heal(number: int, name: str, progress: str, quiet: bool) -> None:
    from stackctl.app import lab

    lab.heal(name, number, display(progress, quiet))  # type: ignore[arg-type]


@command.command(
    help="Give the nodes images of this machine's engine, without a registry. `whoami` and other names of stackctl's "
    "own images stand for what this version builds."
)
@click.argument("references", nargs=-1, required=True, metavar="IMAGE…")
@name_option
@images_option
@talking
def load(references: tuple[str, ...], name: str, images: str, progress: str, quiet: bool) -> None:
    from stackctl.app import lab

    shown = display(progress, quiet)  # type: ignore[arg-type]
    click.echo("\n".join(lab.load(name, references, images=images, progress=shown)))


def _show(command: str, format_: str, labs: tuple[Lab, ...]) -> None:
    from stackctl.report.json import document
    from stackctl.report.lab import labs_json, labs_table

    click.echo(document(command, labs_json(labs)) if format_ == "json" else labs_table(labs))
