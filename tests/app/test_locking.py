"""One command at a time on a stack, and on a lab: the second one is told who works there."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from stackctl.app.lab import lock_file, stop
from stackctl.app.locking import locked
from stackctl.app.workspace import Workspace
from stackctl.cli.display import progress
from stackctl.errors import StackctlError


@contextmanager
def held(file: Path, command: str, what: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock; killed in the end."""
    code = (
        "import sys, pathlib; from stackctl.app.locking import locked\n"
        f"with locked(pathlib.Path({str(file)!r}), {command!r}, {what!r}):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def test_it_goes_with_its_holder(tmp_path: Path) -> None:
    """Another process is named while it holds a stack's lock; after it was killed, the lock is free."""
    with (
        held(tmp_path / "lock", "scale", "stack") as holder,
        pytest.raises(StackctlError, match=f"`stackctl scale` .process {holder.pid}.* works on this stack") as refused,
        Workspace(tmp_path).lock("up"),
    ):
        pass
    assert (refused.value.id, refused.value.exit_code) == ("stack-locked", 1)
    with Workspace(tmp_path).lock("up"):
        pass


def test_a_lab_has_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second command on the same lab is told who has it before it asks the engine; another lab is free."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with held(lock_file("lab"), "lab up", "lab") as holder, locked(lock_file("other"), "lab up", "lab"):
        words = f"`stackctl lab up` .process {holder.pid}.* works on this lab"
        with pytest.raises(StackctlError, match=words) as refused:
            stop("lab", 1, progress("quiet", quiet=True))
    assert (refused.value.id, refused.value.exit_code) == ("lab-locked", 1)


def test_a_file_that_was_removed_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the one before removed the file together with what it is for, the lock is the new file's."""
    file, lock = tmp_path / "stack" / "lock", fcntl.flock

    def flock(opened: IO[str], how: int) -> None:
        if not gone:
            gone.append(opened.name)
            file.unlink()
        lock(opened, how)

    gone: list[str] = []
    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(file, "up", "stack"), pytest.raises(StackctlError), locked(file, "down", "stack"):
        pass
    assert gone == [str(file)]
