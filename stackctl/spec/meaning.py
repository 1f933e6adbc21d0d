"""What a key is for, in the schema's own words: the hint of a finding that has none of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stackctl.spec.findings import Finding
from stackctl.spec.schema import StackSpec

TAKEN = "give one of the two another one"


def hinted(findings: Iterable[Finding], hint: str = "") -> Iterator[Finding]:
    """The findings with this hint, else with what their key means, where they have none of their own."""
    for finding in findings:
        yield finding if finding.hint else replace(finding, hint=hint or meaning(finding.path))


def meaning(path: Iterable[str | int]) -> str:
    """The description of the last key on the path that the schema knows; empty where it knows none."""
    here: Any = StackSpec
    said = ""
    for step in path:
        if get_origin(here) in (dict, list):  # one of its entries
            here = get_args(here)[-1]
        else:
            fields = _fields(here)
            if step not in fields:
                break
            here, said = fields[str(step)].annotation, fields[str(step)].description or said
    return said.removesuffix(".")


def _fields(annotation: Any) -> dict[str, FieldInfo]:
    """The keys of the model in `X` or `X | None`; none where it is no model."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return {field.alias or name: field for name, field in kind.model_fields.items()}
    return {}
