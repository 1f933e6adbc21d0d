"""The command line itself: every command loads, help costs no import, arguments are checked before anything happens."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from stackctl.cli.group import COMMANDS, stackctl
from stackctl.cli.options import Duration


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """Each listed command exists under its name and says what it does."""
    context = click.Context(stackctl)
    command = stackctl.get_command(context, name)
    assert command is not None
    assert command.help


def test_every_lab_command_has_help() -> None:
    """A command that is a group of commands says what each of them does."""
    group = stackctl.get_command(click.Context(stackctl), "lab")
    assert isinstance(group, click.Group)
    assert set(group.commands) == {"up", "list", "down", "stop", "start", "partition", "heal", "load"}
    assert all(command.help for command in group.commands.values())


def test_help_imports_nothing_heavy() -> None:
    """`stackctl --help` answers before pydantic, docker, aiohttp or YAML are imported."""
    code = (
        "import sys\nfrom stackctl.cli.exits import run\n"
        "try: run(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('pydantic', 'docker', 'aiohttp', 'ruamel', 'jinja2', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5", 1.5), ("90s", 90), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200)]
)
def test_duration(text: str, seconds: float) -> None:
    """Times are written as in Compose, or as a number of seconds."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1d", "1e3", "s"])
def test_no_duration(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(click.UsageError, match="not a duration like 90s"):
        Duration().convert(text, None, None)
