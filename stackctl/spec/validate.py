"""The document against the schema; what pydantic finds is said in a person's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, KeyPath, NoText, Wrong, closest, shown
from stackctl.spec.schema import StackSpec

LONGEST = 60  # of a value that a message repeats


def validate(document: Document) -> tuple[StackSpec | None, tuple[Finding, ...]]:
    """The spec, or everything that the schema has against it."""
    try:
        return StackSpec.model_validate(document.data), ()
    except ValidationError as error:
        return None, tuple(_finding(each, document.written) for each in error.errors(include_url=False))


def _finding(error: Mapping[str, Any], written: Mapping[KeyPath, str]) -> Finding:
    path: KeyPath = error["loc"]
    match error["type"]:
        case "value_error":
            wrong: Wrong = error["ctx"]["error"]
            if path[-1] == "[key]":
                return Finding(path[:-1], wrong.message, wrong.hint, at="key")
            text = written.get(path, "")
            if isinstance(wrong, NoText) and 0 < len(text) <= LONGEST:
                # As it is written, which its value may not tell: 1.30 is 1.3 to YAML.
                return Finding(path, f"a text is wanted, got {text}", f'quote it: "{text}"')
            return Finding(path, wrong.message, wrong.hint)
        case "extra_forbidden":
            return _unknown(path)
        case "missing":
            return Finding(path, f"`{path[-1]}` is required")
        case "list_type":
            return Finding(path, f"a list is wanted, got {shown(error['input'])}")
        case "dict_type" | "model_type":
            return Finding(path, f"a mapping is wanted, got {shown(error['input'])}")
        case _:
            return Finding(path, f"{shown(error['input'])} can't be used here")


def _unknown(path: KeyPath) -> Finding:
    *parent, key = path
    known = sorted(_known_keys(tuple(parent)))
    near = closest(str(key), known)
    hint = f"did you mean `{near}`?" if near else f"known here: {', '.join(known)}"
    meant = (*parent, near) if near else None
    return Finding(path, f"unknown key {shown(key)}", hint, at="key", meant=meant)


def _known_keys(path: KeyPath) -> Iterator[str]:
    """The keys that the schema knows in the mapping at a path."""
    here: Any = StackSpec
    for step in path:
        if get_origin(here) in (dict, list):
            here = get_args(here)[-1]
        else:
            here = _model(here).model_fields[str(step)].annotation
    return (field.alias or name for name, field in _model(here).model_fields.items())


def _model(annotation: Any) -> type[BaseModel]:
    """The model in `X` or `X | None`."""
    return next(x for x in (annotation, *get_args(annotation)) if isinstance(x, type) and issubclass(x, BaseModel))
