"""What the documentation tells people to type exists; what it links to is there; its example is a valid spec."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from stackctl.cli.group import COMMANDS, stackctl
from stackctl.spec.load import load

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
WALKS = sorted((ROOT / "stacks").glob("*/README.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")), *WALKS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?stackctl (?P<words>.+)")


def commands(text: str) -> Iterator[str]:
    """What follows `stackctl` on each line of a fence and in each code span that calls it."""
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    lines = [line for _, body in FENCE.findall(text) for line in body.splitlines()]
    for match in filter(None, map(CALL.match, [*lines, *spans])):
        yield re.split(r"\s[#>|;]|\s{2,}", match["words"])[0]


def options(command: click.Command) -> set[str]:
    """Every spelling of a command's options."""
    context = click.Context(command, help_option_names=["-h", "--help"])
    return {name for p in command.get_params(context) for name in (*p.opts, *p.secondary_opts) if name.startswith("-")}


def command_of(name: str) -> click.Command:
    found = stackctl.get_command(click.Context(stackctl), name)
    assert found, f"there is no command {name!r}"
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    """Each `stackctl …` names a command, and options that it has."""
    for call in commands(page.read_text()):
        if "[" in call or call.startswith("<"):
            continue  # a synopsis
        words = shlex.split(call)
        if words[0] in ("-f", "--file"):
            words = words[2:]
        if words[0].startswith("-"):
            assert words[0] in options(stackctl), call
            continue
        assert words[0] in COMMANDS, call
        command = command_of(words[0])
        if isinstance(command, click.Group):
            assert words[1] in command.commands, call
            command = command.commands[words[1]]
        given = {word.partition("=")[0] for word in words[1:] if word.startswith("-")}
        assert given <= options(command), call


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links name files and folders that are there."""
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", FENCE.sub("", page.read_text())):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_options_exist() -> None:
    """Each option that the README names alone belongs to some command."""
    known = options(stackctl).union(*(options(command_of(name)) for name in COMMANDS))
    named = re.findall(r"`(--[a-z-]+)", FENCE.sub("", README.read_text()))
    assert named
    assert set(named) <= known


def test_exit_codes() -> None:
    """The README's table has the codes that `stackctl --help` ends with."""
    listed = re.findall(r"^\| (\d+) \|", README.read_text(), re.MULTILINE)
    assert listed == re.findall(r"\d+", str(stackctl.epilog))


def test_example_is_valid(tmp_path: Path) -> None:
    """The README's stack.yaml is one."""
    (example,) = (body for language, body in FENCE.findall(README.read_text()) if language == "yaml")
    (tmp_path / "stack.yaml").write_text(example)
    stack = load(tmp_path / "stack.yaml", {}).stack
    assert [service.name for service in stack.services] == ["web"]
