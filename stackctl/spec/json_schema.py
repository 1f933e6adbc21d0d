"""The JSON Schema of stack.yaml, for editors and for the spec's reference."""

from __future__ import annotations

from typing import Any

from stackctl.spec.schema import StackSpec

# Before variables are replaced, any single value may be a text that holds one.
_VARIABLE = {"type": "string", "pattern": r"\$"}


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
        tidy = {"anyOf": [tidy, _VARIABLE]}
    return {**about, **tidy}


def _noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
