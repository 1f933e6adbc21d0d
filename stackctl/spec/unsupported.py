"""What the schema knows and this version can't carry out yet: delete a line when it can."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackctl.spec.document import Document
from stackctl.spec.findings import Finding

# A key's path (`*`: each key there), and the values that are refused; without any, the key itself is.
UNSUPPORTED: tuple[tuple[str, str | None], ...] = (("engine", "swarm"),)


def unsupported(document: Document) -> Iterator[Finding]:
    """Each use of a feature that belongs to a later version."""
    for pattern, values in UNSUPPORTED:
        for path in _matching(document, pattern.split("."), ()):
            value = document.get(*path)
            if values is None:
                yield Finding(path, f"`{path[-1]}` is not supported by this version of stackctl", at="key")
            elif isinstance(value, str) and re.fullmatch(values, value):
                yield Finding(path, f"`{path[-1]}: {value}` is not supported by this version of stackctl")


def _matching(document: Document, pattern: list[str], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not pattern:
        yield path
        return
    here = document.mapping(*path)
    for key in here if pattern[0] == "*" else {pattern[0]} & here.keys():
        yield from _matching(document, pattern[1:], (*path, key))
