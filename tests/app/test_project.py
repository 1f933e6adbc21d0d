"""What a listing says of machines that do not answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.app.project import Project
from stackctl.app.workspace import Workspace
from stackctl.domain.instance import EngineState
from stackctl.errors import Unreachable
from tests.building import stack


class Warnings:
    """A progress that remembers its warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, subject: str, message: str) -> None:
        """Not of interest."""

    def warn(self, message: str) -> None:
        self.said.append(message)


def project(progress: Warnings) -> Project:
    """A stack on several machines."""
    return Project(replace(stack(), engine="hosts"), Workspace(Path("nowhere")), progress)


def test_some_are_silent() -> None:
    """Whoever reads the listing is told which, and why."""
    progress = Warnings()
    project(progress).say_silent(EngineState(nodes=("one", "two"), unreachable={"two": "no way to it"}))
    assert progress.said == ["two does not answer: no way to it"]


def test_all_are_silent() -> None:
    """Then there is no listing: an empty one would say that nothing runs."""
    reasons = {"two": "no way to it", "one": "refused"}
    with pytest.raises(Unreachable) as caught:
        project(Warnings()).say_silent(EngineState(nodes=("one", "two"), unreachable=reasons))
    assert (caught.value.where, caught.value.exit_code) == ("one, two", 4)
    assert caught.value.message == "one does not answer: refused; two does not answer: no way to it"
