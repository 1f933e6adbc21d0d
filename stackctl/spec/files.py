"""The files that a spec names and that go into the stack as they are: a template of one's own, a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2

from stackctl.domain.stack import Certificate
from stackctl.errors import Problem, SpecError
from stackctl.rendering.trial import flaw
from stackctl.spec.document import Document
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
    name = document.get("balancer", "template")
    if isinstance(name, str) and name:
        text, problem = _text(document, folder / name, "template")
        problems += (
            [problem]
            if problem
            else _template(folder / name, text, [*document.mapping("services"), *document.mapping("external")])
        )
        files = replace(files, template=text)
    listed = document.get("balancer", "files")
    for name in {str(item.get("src")) for item in listed if isinstance(item, dict)} if isinstance(listed, list) else ():
        text, problem = _text(document, folder / name, "files")
        problems += [problem] if problem else _syntax(folder / name, text)
        files = replace(files, templates={**files.templates, name: text})
    given = document.mapping("balancer", "certificate")
    if {"chain", "key"} <= given.keys() and all(isinstance(value, str) and value for value in given.values()):
        texts = []
        for part, mark in (("chain", "CERTIFICATE-----"), ("key", "PRIVATE KEY-----")):
            text, problem = _text(document, folder / given[part], "certificate", part)
            if not problem and mark not in text:
                problem = _problem(
                    document, f"{given[part]} is no PEM file with -----BEGIN …{mark}", "certificate", part
                )
            problems += [problem] if problem else []
            texts.append(text)
        files = replace(files, certificate=Certificate(*texts))
    return files, tuple(problems)


def _text(document: Document, path: Path, *key: str) -> tuple[str, Problem | None]:
    try:
        return read_text(path), None
    except SpecError as error:
        return "", _problem(document, f"{path.name}: {error.problems[0].message}", *key)


def _problem(document: Document, message: str, *key: str) -> Problem:
    place = document.values.get(("balancer", *key))
    where = f"{document.file}:{place.line}:{place.column}" if place else document.file
    return Problem(where, ".".join(("balancer", *key)), message)


def _syntax(path: Path, text: str) -> list[Problem]:
    try:
        jinja2.Environment(autoescape=False).parse(text)  # not HTML
    except jinja2.TemplateSyntaxError as error:
        return [Problem(f"{path}:{error.lineno}:1", "balancer.files", error.message or "a syntax error")]
    return []


def _template(path: Path, text: str, names: list[str]) -> list[Problem]:
    try:
        problem = flaw(text, names)
    except jinja2.TemplateError as error:  # one that has no line
        return [Problem(f"{path}:1:1", "balancer.template", str(error))]
    return [Problem(f"{path}:{problem.line}:1", "balancer.template", problem.message)] if problem else []
