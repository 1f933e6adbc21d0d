"""stack.yaml becomes a Stack, or a SpecError that lists everything wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from stackctl.domain.stack import EngineKind, Stack
from stackctl.errors import SpecError
from stackctl.spec.clashes import clashes
from stackctl.spec.consistency import inconsistent
from stackctl.spec.document import Document
from stackctl.spec.environment import Variables, variables
from stackctl.spec.files import read_files
from stackctl.spec.labels import label_clashes
from stackctl.spec.machines import machine_findings
from stackctl.spec.meaning import TAKEN, hinted, meaning
from stackctl.spec.passthrough import misused
from stackctl.spec.source import read_text
from stackctl.spec.swarm import sayable, unsaid, unsayable
from stackctl.spec.translate import translate
from stackctl.spec.unfold import read
from stackctl.spec.validate import validate


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stack, and what a person should hear on stderr although it is no error: `warnings` with every command, `unsaid`
    with those that are about the spec."""

    stack: Stack
    warnings: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


def load(path: Path, environ: Mapping[str, str], engine: str = "") -> Loaded:
    """The stack that the file describes, together with the one beside it for its engine; messages name the files as
    `path` does. `engine` takes the place of the spec's."""
    known = variables(path.parent, environ)
    document = _with_engine(read(read_text(path), str(path), known.substitute), path, engine, known)
    spec, findings = validate(document)
    files, flaws = read_files(document, path.parent)
    problems = document.problems(
        (
            *hinted(findings),
            *hinted(inconsistent(document, path.parent)),
            *hinted(machine_findings(document)),
            *hinted(misused(document)),
            *hinted(unsayable(document)),
            *hinted(clashes(document), TAKEN),
        )
    )
    problems = (*problems, *(replace(flaw, hint=flaw.hint or meaning(re.split(r"[.\[]", flaw.path))) for flaw in flaws))
    if problems or spec is None:
        # An empty text that stands for a variable may well be the cause.
        raise SpecError(problems, hint="; ".join(known.warnings))
    stack = translate(spec, path, files)
    if clashing := document.problems(hinted(label_clashes(stack), TAKEN)):
        raise SpecError(clashing)
    return Loaded(sayable(stack), known.warnings, tuple(unsaid(stack)))


def _with_engine(document: Document, path: Path, asked: str, known: Variables) -> Document:
    """The document for the engine that is asked for, else its own: `stack.hosts.yaml` beside `stack.yaml` says what is
    different on the engine `hosts`."""
    engine = asked or document.get("engine", default="compose")
    if engine in get_args(EngineKind):  # anything else may be no part of a file's name
        beside = path.with_name(f"{path.stem}.{engine}{path.suffix}")
        if beside.is_file():
            document = document.under(read(read_text(beside), str(beside), known.substitute))
    return replace(document, data={**document.data, "engine": asked}) if asked else document
