"""Writes specs into a folder of their own and loads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stackctl.errors import SpecError
from stackctl.spec.load import Loaded, load

Load = Callable[..., Loaded]
Problems = Callable[..., list[str]]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads a spec's text; keywords are variables, `env_file` is the text of the .env beside it."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes, env_file: str | None = None, **environ: str) -> Loaded:
        Path("stack.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        if env_file is not None:
            Path(".env").write_text(env_file)
        return load(Path("stack.yaml"), environ)

    return load_text


@pytest.fixture
def problems(load_text: Load) -> Problems:
    """Loads a spec that is wrong and returns what is wrong, a line each."""

    def problems(text: str | bytes, env_file: str | None = None, **environ: str) -> list[str]:
        with pytest.raises(SpecError) as caught:
            load_text(text, env_file, **environ)
        return [str(problem) for problem in caught.value.problems]

    return problems
