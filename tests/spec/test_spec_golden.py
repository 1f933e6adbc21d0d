"""Every bad spec in tests/golden/spec is refused in exactly the words of the text beside it.

After a change that is meant: UPDATE_GOLDEN=1 pytest tests/spec/test_spec_golden.py, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stackctl.errors import SpecError
from stackctl.spec.load import load

GOLDEN = Path(__file__).parent.parent / "golden" / "spec"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.yaml")))
def test_bad_spec_is_refused_in_these_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each problem has its place, its key, what is wanted and a hint, and no word of the libraries underneath."""
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(SpecError) as caught:
        load(Path(f"{name}.yaml"), {})

    said = f"{caught.value}\n"
    expected = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(said)
    assert said == expected.read_text()
    assert all(problem.hint for problem in caught.value.problems)
    assert "pydantic" not in said
    assert "http" + "s://" not in said
