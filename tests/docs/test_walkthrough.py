"""How walkthroughs are read, carried out and compared; no engine is needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.walkthrough import Outcome, Step, complaint, lacking, mismatch, shell, steps

ROOT = Path(__file__).parents[2]
PAGE = """\
# A page

```console
$ echo one
one
$ false
(exit 1)
```

```
$ this is no console block
```

```console
$ printf '%s\\n' a \\
>   b
a
…
$ true
```
"""


@pytest.mark.parametrize("spec", [*(ROOT / "stacks").glob("*/stack.yaml")], ids=lambda spec: spec.parent.name)
def test_every_stack_has_a_walkthrough(spec: Path) -> None:
    """It goes from `up` to `down` of that very stack, on a lab of its own where it needs one."""
    told = [step.command for step in steps((spec.parent / "README.md").read_text())]
    commands = [c for c in told if c.startswith("stackctl ") and not c.startswith("stackctl lab ")]
    assert any(command.startswith(f"stackctl up {spec.parent.name}") for command in commands)
    assert commands[-1].startswith(f"stackctl down {spec.parent.name}")


def test_steps() -> None:
    """Commands with their promises, in order, from console blocks alone."""
    assert steps(PAGE) == (
        Step(4, "echo one", ("one",)),
        Step(6, "false", (), 1),
        Step(15, "printf '%s\\n' a \\\n  b", ("a", "…")),
        Step(19, "true"),
    )


def test_a_promise_needs_a_command() -> None:
    """Output that no command precedes is refused with its line."""
    with pytest.raises(ValueError, match="line 3: a console block begins with a command"):
        steps("x\n```console\noutput\n$ true\n```\n")


@pytest.mark.parametrize(
    ("wanted", "got", "broken"),
    [
        ("", "", None),
        ("a", "a", None),
        ("a  ", "a", None),
        ("a", "b", 0),
        ("a", "", 0),
        ("", "a", 0),
        ("a", "a|b", 1),
        ("in … s", "in 1.5 s", None),
        ("in … s", "in 1.5 m", 0),
        ("…x…", "x", None),
        ("(.*)", "abc", 0),
        ("…", "", None),
        ("…", "a|b|c", None),
        ("…|c", "a|b|c", None),
        ("a|…|c", "a|c", None),
        ("a|…|c|…|e", "a|c|x|c|d|e", None),
        ("a|…|c", "a|c|d", 3),
        ("a|…|x|b", "a|c|b", 2),
        ("… s", "…|b", 0),
    ],
)
def test_mismatch(wanted: str, got: str, broken: int | None) -> None:
    """Line by line, where … stands for any text and alone for any lines; a break is named by its line."""
    assert mismatch([*filter(None, wanted.split("|"))], [*filter(None, got.split("|"))]) == broken


def test_complaint_shows_everything() -> None:
    """A failure shows where, the command, what was wanted and what came."""
    step = Step(4, "stackctl verify", ("converged", "…"), 0)
    assert complaint("README.md", step, Outcome(("converged", "x"), 0)) == ""
    assert complaint("README.md", step, Outcome(("diverged",), 3)) == (
        "README.md:4: $ stackctl verify\n"
        "not where it was promised: 'converged'\n"
        "wanted (exit 0):\n    converged\n    …\n"
        "got (exit 3):\n    diverged"
    )


def test_complaint_names_what_the_machine_lacks() -> None:
    """A command that is not installed is no riddle."""
    assert "this machine has no such command" in complaint("x", Step(1, "curl"), Outcome((), 127))
    walk = steps("```console\n$ curl -s x | no-such-tool\n```\n")
    assert lacking(walk, ("no-such-tool", "other-tool")) == ("no-such-tool",)


def test_shell_keeps_its_state(tmp_path: Path) -> None:
    """Folder and variables last from command to command; stdout and stderr come together, with the exit code."""
    (tmp_path / "below").mkdir()
    with shell(tmp_path, os.environ) as session:
        assert session.run("cd below; x=1", 10) == Outcome((), 0)
        assert session.run('echo "$x" in "${PWD##*/}"; echo oops >&2; (exit 3)', 10) == Outcome(
            ("1 in below", "oops"), 3
        )
        assert session.run("cat", 10) == Outcome((), 0)
        assert session.run("printf 'no end'", 10) == Outcome(("no end",), 0)
        assert session.run("echo 'unclosed", 10).code not in (0, None)
        assert session.run("echo ok", 10) == Outcome(("ok",), 0)


@pytest.mark.parametrize("command", ["echo begun; sleep 60", "echo begun; exit 0"])
def test_shell_comes_to_an_end(tmp_path: Path, command: str) -> None:
    """A command that does not end, or that ends the shell, is no success; what it printed is kept."""
    with shell(tmp_path, os.environ) as session:
        assert session.run(command, 0.5) == Outcome(("begun",), None)
        assert session.process.poll() is not None
