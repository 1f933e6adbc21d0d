"""What is found wrong while a spec is read, by its key's path; the document knows its line and column."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """A line and a column, both from 1; the file is named where it is not the document's own."""

    line: int
    column: int
    file: str = ""


class Wrong(ValueError):
    """One value can't be used; whoever knows its path makes a finding of it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NoText(Wrong):
    """A value stands where a text is wanted; with quotes around what is written there, it would be one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at a path; with a `place` where the path can't tell (the second of two equal keys)."""

    path: KeyPath
    message: str
    hint: str = ""
    at: Literal["value", "key"] = "value"
    place: Place | None = None
    # The path of the key that an unknown one probably means: it isn't missing, then, it is misspelt.
    meant: KeyPath | None = None


def dotted(path: KeyPath) -> str:
    """`services.web.ports[0]`; a key that is no plain word is quoted, so that it can't garble the message."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            plain = step.isascii() and step.replace("-", "").replace("_", "").isalnum()
            text += ("." if text else "") + (step if plain else shown(step))
    return text


def shown(value: object) -> str:
    """A value as a message quotes it: short, on one line, without control characters."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return repr(value if len(value) <= 60 else value[:59] + "…")
    # A whole number too long to print is an error of its own in Python.
    return str(value) if not isinstance(value, int) or value.bit_length() < 100 else "a huge number"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, if any does."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return close[0] if close else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or nothing where no known word is close."""
    close = closest(word, known)
    return f"did you mean `{close}`?" if close else ""
