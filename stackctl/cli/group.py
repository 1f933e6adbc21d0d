"""The `stackctl` command and the list of its subcommands."""

from __future__ import annotations

import importlib

import click

from stackctl import __version__

# Name → one line of help; each is `command` in stackctl/cli/<name>.py.
COMMANDS = {
    "list": "List the bundled stacks.",
    "validate": "Check a spec, with file, line and column of everything wrong.",
    "schema": "Print the JSON Schema of stack.yaml.",
    "render": "Write every generated file; they run without stackctl.",
    "plan": "Show what `up` would change, and why.",
    "up": "Render, build or find images, launch, and wait until converged.",
    "scale": "Change the number of instances without losing a request.",
    "deploy": "Replace a service's instances one by one; rolled back when they do not serve.",
    "verify": "Prove that engine, registry, balancer config and traffic agree.",
    "drain": "Take instances out of every balancer, running on.",
    "undrain": "Bring drained instances back.",
    "register": "Register an endpoint that stackctl does not run.",
    "deregister": "Remove registrations.",
    "ps": "List the instances.",
    "status": "Show registry members, the leader, agents and revisions.",
    "logs": "Show the instances' output.",
    "config": "Print the nginx config that a balancer really runs.",
    "down": "Remove the stack; volumes only with --volumes.",
    "lab": "Docker nodes on this machine, each an engine of its own.",
    "doctor": "Check this machine for what stackctl needs.",
    "version": "Print versions of stackctl, Python and the engine.",
    "completion": "Print a completion script for your shell.",
}


class LazyGroup(click.Group):
    """Knows its commands by name and imports only the one that is called: `--help` costs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"stackctl.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if close:
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or spec, 3 not converged, 4 engine or registry unreachable, "
    "5 rolled back, 6 changes pending, 130 interrupted.",
)
@click.option("-f", "--file", metavar="FILE", help="The spec; also STACKCTL_FILE. Default: ./stack.yaml.")
@click.version_option(__version__, message="stackctl %(version)s")
@click.pass_context
def stackctl(context: click.Context, file: str | None) -> None:
    """One stack.yaml becomes a running, self-registering, load-balanced stack, proven through its balancer.

    STACK is the name of a bundled stack (`stackctl list`) or a path.
    """
    context.obj = file
