"""The variables that a spec may name: the environment, then the `.env` beside the spec."""

from __future__ import annotations

import io
import re
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from stackctl.errors import Problem, SpecError
from stackctl.spec.findings import Wrong
from stackctl.spec.interpolate import expand, parse
from stackctl.spec.source import read_text

# A single-quoted value is literal.
_LITERAL = re.compile(r"[^=]*=\s*'")


class Variables:
    """Looks variables up, and remembers which were asked for in vain."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._file: dict[str, str] = {}
        self._all = ChainMap(dict(environ), self._file)
        self._unset: dict[str, None] = {}

    def substitute(self, text: str) -> str:
        """The text with its variables replaced; Wrong when it can't be."""
        if "$" not in text:
            return text
        return expand(parse(text), self._all, lambda name: self._unset.update({name: None}))

    def define(self, name: str, value: str) -> None:
        """One variable of the `.env` file; what the environment says beats it."""
        self._file[name] = value

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each variable that has no value."""
        return tuple(f"the variable `{name}` is not set: an empty text stands for it" for name in self._unset)


def variables(folder: Path, environ: Mapping[str, str]) -> Variables:
    """The environment and `folder`/.env, whose lines may use earlier ones; SpecError when it is broken."""
    found = Variables(environ)
    path = folder / ".env"
    if not path.is_file():
        return found
    from dotenv.parser import parse_stream

    problems = []
    for binding in parse_stream(io.StringIO(read_text(path))):
        source = binding.original.string
        # A binding's text begins with the blank lines above it.
        line = binding.original.line + len(re.findall(r"\r\n|\r|\n", source[: -len(source.lstrip()) or None]))
        try:
            if binding.error:
                raise Wrong("not a line of the form NAME=value", "a comment begins with #")
            if binding.key is None or binding.value is None:
                continue
            literal = _LITERAL.match(source)
            found.define(binding.key, binding.value if literal else found.substitute(binding.value))
        except Wrong as wrong:
            problems.append(Problem(f"{path}:{line}:1", binding.key or "", wrong.message, wrong.hint))
    if problems:
        raise SpecError(tuple(problems))
    return found
