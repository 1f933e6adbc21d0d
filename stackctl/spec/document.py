"""A spec as plain data in which every key and value still knows its line and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stackctl.errors import Problem
from stackctl.spec.findings import Finding, KeyPath, Place, dotted


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file's plain data, where each key and value stands, and how numbers and truth values are written."""

    file: str
    data: dict[str, Any]
    keys: Mapping[KeyPath, Place]
    values: Mapping[KeyPath, Place]
    findings: tuple[Finding, ...]
    written: Mapping[KeyPath, str]

    def get(self, *path: str, default: Any = None) -> Any:
        """The value at a path, or the default."""
        value: Any = self.data
        for step in path:
            if not isinstance(value, dict) or step not in value:
                return default
            value = value[step]
        return value

    def mapping(self, *path: str) -> dict[str, Any]:
        """The mapping at a path; an empty one where there is none."""
        value = self.get(*path)
        return value if isinstance(value, dict) else {}

    def under(self, over: Document) -> Document:
        """This document with another one's values: mappings are merged, anything else takes the place of what was
        here."""
        instead = {path for path in over.values if not (_is_mapping(self.data, path) and _is_mapping(over.data, path))}

        def stays(path: KeyPath) -> bool:
            return not any(path[:length] in instead for length in range(1, len(path) + 1))

        def there(place: Place) -> Place:
            return place._replace(file=over.file)

        def placed(own: Mapping[KeyPath, Place], others: Mapping[KeyPath, Place]) -> Mapping[KeyPath, Place]:
            kept = {path: place for path, place in own.items() if stays(path)}
            return {path: there(place) for path, place in others.items()} | kept

        return replace(
            self,
            data=_merged(self.data, over.data),
            keys=placed(self.keys, over.keys),
            values=placed(self.values, over.values),
            written={path: text for path, text in self.written.items() if stays(path)} | dict(over.written),
            findings=(
                *(finding for finding in self.findings if stays(finding.path)),
                *(replace(finding, place=finding.place and there(finding.place)) for finding in over.findings),
            ),
        )

    def place(self, finding: Finding) -> Place:
        """Where to point; what is missing is shown at the key that should hold it."""
        if finding.place:
            return finding.place
        path = finding.path
        if finding.at == "value" and path in self.values:
            return self.values[path]
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys.get(path, Place(1, 1))

    def problems(self, findings: Iterable[Finding]) -> tuple[Problem, ...]:
        """Its own findings and these, in the file's order; the first at each path: it caused the rest."""
        every = [*self.findings, *findings]
        misspelt = {finding.meant for finding in every} - self.values.keys()
        first: dict[tuple[KeyPath, Place | None], Finding] = {}
        for finding in every:
            if finding.path not in misspelt:
                first.setdefault((finding.path, finding.place), finding)
        placed = sorted(((self.place(f), f) for f in first.values()), key=lambda pair: (pair[0].file, pair[0]))
        listed = (
            Problem(
                f"{place.file or self.file}:{place.line}:{place.column}",
                dotted(f.path),
                f.message,
                f.hint,
            )
            for place, f in placed
        )
        # What is wrong in an anchor is wrong at each of its aliases, at the same place in the same words.
        return tuple({(problem.where, problem.message): problem for problem in listed}.values())


def _is_mapping(data: Any, path: KeyPath) -> bool:
    for step in path:
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return isinstance(data, dict)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = under.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
