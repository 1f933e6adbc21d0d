"""The JSON Schema of stack.yaml, for editors and for the spec's reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stackctl.spec.schema import StackSpec

# Before variables are replaced, any single value may be a text that holds one.
VARIABLE = r"\$"


def json_schema() -> dict[str, Any]:
    """The schema as an editor wants it."""
    schema = _tidy(StackSpec.model_json_schema())
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": "stack.yaml of stackctl", **schema}


def _tidy(node: Any) -> Any:
    """Without pydantic's titles and null defaults, closed, and with room for variables."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items() if not _noise(key, value)}
    if "patternProperties" in tidy:
        tidy.setdefault("additionalProperties", False)
    about = {key: tidy.pop(key) for key in ("description", "default") if key in tidy}
    if "enum" in tidy or tidy.get("type") in ("string", "integer", "number", "boolean"):
        tidy = {"anyOf": [tidy, {"type": "string", "pattern": "|".join((VARIABLE, *_texts(tidy)))}]}
    return {**about, **tidy}


def _texts(shape: Mapping[str, Any]) -> Iterator[str]:
    """How a value that is no text is written as one, because that is what a variable's value is."""
    if numbers := [str(choice) for choice in shape.get("enum", ()) if isinstance(choice, int)]:
        yield f"^({'|'.join(numbers)})$"
    match shape.get("type"):
        case "integer":
            yield "^-?[0-9]{1,9}$"
        case "boolean":
            yield "^(true|false)$"


def _noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
