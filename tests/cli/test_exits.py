"""Errors as the command line tells them: to people on stderr, to programs as JSON, always with the same exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stackctl.cli.exits import run
from stackctl.cli.telling import Telling


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine matters: an empty folder, and an engine that refuses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.delenv("STACKCTL_FILE", raising=False)


def ended(capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as ending:
        run(words.split())
    assert isinstance(ending.value.code, int)
    return ending.value.code, *capsys.readouterr()


USAGE = {
    "pss": ("no such command 'pss'. Did you mean 'ps'?", "stackctl"),
    "plan --formt json": ("no such option '--formt'. Did you mean '--format'?", "stackctl plan: --formt"),
    "plan --format xml": ("invalid value for '--format'", "stackctl plan: --format"),
    "verify --timeout abc": ("'abc' is not a duration", "stackctl verify: --timeout"),
    "ps --progress garbage": ("no such option '--progress'", "stackctl ps: --progress"),
    "completion powershell": ("'powershell' is not one of", "stackctl completion: {bash|zsh|fish}"),
    "lab up 0": ("0 is not in the range", "stackctl lab up: N"),
    "deploy": ("missing argument", "stackctl deploy: "),
    "scale web": ("at least one SERVICE=N", "stackctl scale"),
    "scale web=-1": ("a whole number from 0 to 1000", "stackctl scale: web=-1"),
    "scale web=1e9": ("a whole number from 0 to 1000", "stackctl scale: web=1e9"),
    "scale web=": ("a whole number from 0 to 1000", "stackctl scale: web="),
    "scale web=3 web=4": ("web is given twice", "stackctl scale: web=4"),
}


@pytest.mark.parametrize("words", USAGE)
def test_usage(capsys: pytest.CaptureFixture[str], words: str) -> None:
    """What is wrong with the command line has an id, a place and a hint like any other error, and click's own words."""
    code, out, err = ended(capsys, words)
    message, where = USAGE[words]
    first, place, hint = err.splitlines()
    assert (code, out) == (2, "")
    assert first.startswith("error[usage]: ") and message in first
    assert place.startswith(f"  where: {where}")
    assert hint.startswith("  hint:  stackctl") and hint.endswith(" --help")


@pytest.mark.parametrize(
    ("words", "where", "hint"),
    [
        ("scale simple-web wbe=3", "simple-web/stack.yaml", "did you mean `web`?"),
        ("scale simple-web nosuch=3", "simple-web/stack.yaml", "services: "),
        ("validate nosuch", "STACK nosuch", "the bundled stacks are"),
        ("-f x.yaml validate simple-web", "STACK simple-web, -f x.yaml", "keep one"),
        ("config a b c", "a b c", "stackctl config"),
    ],
)
def test_what_is_not_there(capsys: pytest.CaptureFixture[str], words: str, where: str, hint: str) -> None:
    """What the command line names and nobody has: the place says which word, the hint what there is; nothing stays."""
    code, out, err = ended(capsys, words)
    place, advice = err.splitlines()[-2:]
    assert (code, out) == (2, "")
    assert place.startswith("  where: ") and where in place
    assert advice.startswith("  hint:  ") and hint in advice
    assert list(Path().iterdir()) == []


def test_without_words_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Who gives no command is shown those that there are."""
    code, out, err = ended(capsys, "lab")
    assert (code, out) == (2, "") and err.startswith("Usage: stackctl lab")


def error_of(text: str) -> dict[str, Any]:
    """The error in the one document on stdout."""
    document = json.loads(text)
    assert document.keys() == {"schema", "error"} and document["schema"] == "stackctl/error/v1"
    error: dict[str, Any] = document["error"]
    return error


@pytest.mark.parametrize(
    ("words", "id", "code"),
    [
        ("validate nosuch --format json", "stack-not-found", 2),
        ("plan --format json --nonsense", "usage", 2),
        ("-f missing.yaml plan --format=json", "spec-not-found", 2),
        ("plan simple-web --format json", "engine-unreachable", 4),
        ("verify simple-web --format json", "engine-unreachable", 4),
    ],
)
def test_document_of_an_error(capsys: pytest.CaptureFixture[str], words: str, id: str, code: int) -> None:
    """With --format json a program finds the error on stdout, and a person the same on stderr."""
    ending, out, err = ended(capsys, words)
    error = error_of(out)
    assert (ending, error["exit_code"], error["id"]) == (code, code, id)
    assert error["where"] and error["message"] and error["hint"]
    assert f"error[{id}]: {error['message']}" in err and error["hint"] in err


def test_document_of_a_bad_spec(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with a spec is listed in it, one by one."""
    Path("stack.yaml").write_text("name: a\nservices: {web: {image: whoami, port: 0}}\n")
    code, out, _ = ended(capsys, "plan --format json")
    (problem,) = error_of(out)["problems"]
    assert code == 2
    assert (problem["where"], problem["path"]) == ("stack.yaml:2:39", "services.web.port")


def test_validate_has_a_document_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the only one, and says as much as stderr does."""
    code, out, err = ended(capsys, "-f missing.yaml validate --format json")
    document = json.loads(out)
    assert (code, document["schema"], document["valid"]) == (2, "stackctl/validate/v1", False)
    assert document["id"] == "spec-not-found" and document["hint"] in err
    assert [problem["where"] for problem in document["problems"]] == ["missing.yaml"]
    Path("stack.yaml").write_text("name: a\nservices: {web: {image: $NOPE, port: 1}}\n")
    _, out, _ = ended(capsys, "validate --format json")
    assert "`NOPE` is not set" in json.loads(out)["hint"]


def test_missing_spec_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line says that the file is not there, the second one which."""
    _, _, err = ended(capsys, "-f missing.yaml ps")
    assert err.startswith("error[spec-not-found]: there is no such file\n  where: missing.yaml\n  hint:  ")


def test_line_of_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """With --progress json every line on stderr is JSON, also the last one."""
    code, out, err = ended(capsys, "plan simple-web --progress json")
    (line,) = map(json.loads, err.splitlines())
    assert (code, out, line["error"]["id"]) == (4, "", "engine-unreachable")


@pytest.mark.parametrize(
    ("words", "traceback"),
    [
        (["ps", "-v"], True),
        (["ps", "-qv"], True),
        (["ps", "--verbose"], True),
        (["-fv", "ps"], False),
        (["drain", "--", "-v"], False),
    ],
)
def test_verbose(words: list[str], traceback: bool) -> None:
    """-v counts wherever click takes it for one: alone, and among other letters."""
    assert Telling.asked_by(words).traceback == traceback


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_nobody_listens(closed: str) -> None:
    """The exit code is the error's, whether or not it can be told."""
    command = f"{sys.executable} -m stackctl validate nosuch --format json {closed}"
    done = subprocess.run(["sh", "-c", command], check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == 2
