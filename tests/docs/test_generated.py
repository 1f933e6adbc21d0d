"""The generated references say what the commands and the schema say."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILES: Mapping[str, Callable[[], str]] = runpy.run_path(str(DOCS / "generate.py"))["FILES"]


@pytest.mark.parametrize("name", FILES)
def test_reference_is_up_to_date(name: str) -> None:
    """Make it anew with: python docs/generate.py"""
    assert (DOCS / name).read_text() == FILES[name](), f"docs/{name} is out of date: run python docs/generate.py"
