"""The files that a spec names and that go into the stack as they are: a template of one's own, a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stackctl.domain.stack import Certificate
from stackctl.errors import Problem, SpecError
from stackctl.rendering.trial import Flaw, flaw, flaw_of_file
from stackctl.spec import scalars
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, KeyPath, Wrong, dotted
from stackctl.spec.source import read_text


@dataclass(frozen=True, slots=True)
class Files:
    """Their texts; empty or None where the spec names none. `templates` are those of other files, by their path."""

    template: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    certificate: Certificate | None = None


def read_files(document: Document, folder: Path) -> tuple[Files, tuple[Problem, ...]]:
    """The texts, or what is wrong with them: in the spec where a file can't be read, in the file where it can."""
    files, problems = Files(), []
    if name := _path(document.get("balancer", "template")):
        text, problem = _text(document, folder, name, "template")
        names = [*document.mapping("services"), *document.mapping("external")]
        problems += [problem] if problem else _flaws(folder / name, "balancer.template", flaw(text, names))
        files = replace(files, template=text)
    listed = document.get("balancer", "files")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        name = _path(item.get("src")) if isinstance(item, dict) else ""
        if name and name not in files.templates:
            text, problem = _text(document, folder, name, "files", index, "src")
            problems += [problem] if problem else _flaws(folder / name, "balancer.files", flaw_of_file(text))
            files = replace(files, templates={**files.templates, name: text})
    given = document.mapping("balancer", "certificate")
    if {"chain", "key"} <= given.keys() and all(map(_path, given.values())):
        texts = []
        for part, mark in (("chain", "CERTIFICATE-----"), ("key", "PRIVATE KEY-----")):
            text, problem = _text(document, folder, given[part], "certificate", part)
            if not problem and mark not in text:
                problem = _problem(
                    document, f"{given[part]} is no PEM file with -----BEGIN …{mark}", "certificate", part
                )
            problems += [problem] if problem else []
            texts.append(text)
        files = replace(files, certificate=Certificate(*texts))
    return files, tuple(problems)


def _path(value: object) -> str:
    """A file's name as it is written; empty where it is none, which the schema says."""
    try:
        return scalars.folder(value)
    except Wrong:
        return ""


def _text(document: Document, folder: Path, name: str, *key: str | int) -> tuple[str, Problem | None]:
    try:
        return read_text(folder / name), None
    except SpecError as error:
        return "", _problem(document, f"{name}: {error.problems[0].message}", *key)


def _problem(document: Document, message: str, *key: str | int) -> Problem:
    path: KeyPath = ("balancer", *key)
    place = document.place(Finding(path, message))
    return Problem(f"{place.file or document.file}:{place.line}:{place.column}", dotted(path), message)


def _flaws(path: Path, key: str, found: Flaw | None) -> list[Problem]:
    return [Problem(f"{path}:{found.line}:1", key, found.message)] if found else []
