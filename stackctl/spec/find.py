"""Which spec a command is about: a bundled stack's name, a path, or what the surroundings say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackctl.errors import UsageError
from stackctl.spec.bundled import bundled
from stackctl.spec.findings import shown, suggestion

SPEC = "stack.yaml"
VARIABLE = "STACKCTL_FILE"


@dataclass(frozen=True, slots=True)
class BundledStack:
    """A stack that ships with stackctl."""

    name: str
    path: Path
    description: str


def find(argument: str | None, file: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The spec's path: STACK, else -f, else STACKCTL_FILE, else ./stack.yaml; `load` says if it is absent.

    With `Path()` as `cwd`, relative paths stay relative, and messages show them as the person wrote them.
    """
    if argument is not None and file is not None:
        raise UsageError(
            "stack-named-twice",
            f"both {shown(argument)} and -f {shown(file)} name a stack",
            where=f"STACK {argument}, -f {file}",
            hint="keep one of them",
        )
    if argument is not None:
        return _named(argument, cwd)
    return _spec_at(cwd / (file or environ.get(VARIABLE) or SPEC))


def bundled_stacks() -> tuple[BundledStack, ...]:
    """The stacks that ship with stackctl, by name."""
    specs = sorted(bundled("stacks").glob(f"*/{SPEC}"))
    return tuple(BundledStack(path.parent.name, path, _description(path)) for path in specs)


def looks_like_path(word: str) -> bool:
    """Whether a word can only mean a file or folder."""
    return os.sep in word or word.endswith((".yaml", ".yml")) or word in (".", "..")


def names_stack(word: str) -> bool:
    """Whether a word that may be a STACK or something within one is a STACK: a bundled one, or clearly a path."""
    return looks_like_path(word) or word in {stack.name for stack in bundled_stacks()}


def _named(argument: str, cwd: Path) -> Path:
    stacks = {stack.name: stack.path for stack in bundled_stacks()}
    if argument in stacks:
        return stacks[argument]
    path = cwd / argument
    if looks_like_path(argument) or _exists(path):
        return _spec_at(path)
    near = suggestion(argument, stacks)
    listed = f"the bundled stacks are: {', '.join(stacks)}"
    raise UsageError(
        "stack-not-found",
        f"there is no stack {shown(argument)}",
        where=f"STACK {argument}",
        hint=f"{near} {listed}" if near else listed,
    )


def _spec_at(path: Path) -> Path:
    return path / SPEC if _exists(path) and path.is_dir() else path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # A name that the file system can't hold, for one.
        return False


def _description(path: Path) -> str:
    """The spec's first comment for people, or its x-description; without a YAML parser, to be quick."""
    for line in path.read_text(encoding="utf-8").splitlines():
        comment = line.removeprefix("#").strip() if line.startswith("#") else ""
        if comment and not comment.startswith("yaml-language-server"):
            return comment
        if line.startswith("x-description:"):
            return line.partition(":")[2].strip().strip("\"'")
    return ""
