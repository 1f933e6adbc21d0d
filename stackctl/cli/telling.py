"""In which ways an error is told: to a person, or to a program as one JSON document, one JSON line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from stackctl.errors import StackctlError

# As a word of its own, or among other letters that take no value.
VERBOSE = re.compile(r"--verbose|-[qvyh]*v[qvyh]*")


class Answered(Exception):
    """Ends a command that has printed a document of its own about its error."""

    def __init__(self, error: StackctlError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Telling:
    """What the command line asks for: tracebacks (`-v`), a document on stdout (`--format json`), a line of JSON on
    stderr (`--progress json`)."""

    traceback: bool = False
    document: bool = False
    json_line: bool = False

    @classmethod
    def asked_by(cls, words: Sequence[str]) -> Telling:
        """Read from the words themselves, because an error may end the command before it has understood them."""
        options = tuple(takewhile(lambda word: word != "--", words))
        return cls(
            any(VERBOSE.fullmatch(word) for word in options),
            _value(options, "--format") == "json",
            _value(options, "--progress") == "json",
        )

    def line(self, error: StackctlError) -> str:
        """The error as stderr gets it."""
        if not self.json_line:
            return str(error)
        import json
        import time

        from stackctl.report.json import error_json

        return json.dumps({"at": round(time.time(), 3), "error": error_json(error)})

    def answer(self, error: StackctlError) -> str:
        """The error as a document for stdout."""
        from stackctl.report.json import document, error_json

        return document("error", {"error": error_json(error)})


def _value(words: Sequence[str], option: str) -> str:
    """What the option is given last; empty where it is not."""
    found = ""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word == option:
            found = following
        elif word.startswith(f"{option}="):
            found = word.removeprefix(f"{option}=")
    return found
