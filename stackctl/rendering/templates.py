"""The Jinja2 environment that every generated file comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jinja2

# What a template of a user's may raise while it is compiled, to Python, and rendered.
TEMPLATE_FAILURES = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


def environment(folder: Path, own: Mapping[str, str] | None = None) -> jinja2.Environment:
    """Templates of one folder, and before them the texts in `own`, by name.

    A name that a template uses and nobody gives is an error, never an empty string.
    """
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.DictLoader(own or {}), jinja2.FileSystemLoader(folder)]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # configs, not HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
