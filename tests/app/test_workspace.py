"""The stack's folder: whole files, a remembered scale, one lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.app.workspace import Workspace


def test_files(tmp_path: Path) -> None:
    """What is written is read back, scripts can be run, and equal files stay untouched."""
    workspace = Workspace(tmp_path / ".stackctl" / "shop")
    workspace.write({"compose.yaml": "a", "images/x/run": "#!/bin/sh\n", "manifest.json": '{"replicas": {"web": 3}}'})
    before = workspace.compose.stat().st_mtime_ns
    workspace.write({"compose.yaml": "a"})
    assert workspace.compose.stat().st_mtime_ns == before
    assert (workspace.folder / "images/x/run").stat().st_mode & 0o111
    assert workspace.replicas() == {"web": 3}
    workspace.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"replicas": {"web": "x"}}', '{"replicas": 1}'])
def test_damaged_manifest(tmp_path: Path, text: str) -> None:
    """A manifest that nobody can read is as none."""
    (tmp_path / "manifest.json").write_text(text)
    assert Workspace(tmp_path).replicas() == {}


def test_a_command_that_came_to_nothing(tmp_path: Path) -> None:
    """Where nothing was ever written, the lock takes its folders along; what there is stays."""
    workspace = Workspace(tmp_path / ".stackctl" / "shop")
    with pytest.raises(LookupError), workspace.lock("scale"):
        raise LookupError
    assert list(tmp_path.iterdir()) == []
    with workspace.lock("up"):
        workspace.write({"compose.yaml": "a"})
    assert sorted(path.name for path in workspace.folder.iterdir()) == ["compose.yaml", "lock"]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """What somebody else has left in a file's place is no obstacle to writing it."""
    workspace = Workspace(tmp_path)
    workspace.compose.write_bytes(b"\xff\xfe")
    assert "\ufffd" in str(workspace.read(["compose.yaml"])["compose.yaml"])
    workspace.write({"compose.yaml": "name: café\n"})
    assert workspace.compose.read_bytes() == "name: café\n".encode()


def test_the_engine_of_the_last_launch(tmp_path: Path) -> None:
    """It is remembered with the files; before there are any, nothing is."""
    workspace = Workspace(tmp_path)
    assert workspace.engine() == ""
    workspace.write({"manifest.json": '{"engine": "hosts"}'})
    assert workspace.engine() == "hosts"
    for damaged in ('"nosuch"', "1", "{}", '["hosts"]'):
        workspace.write({"manifest.json": f'{{"engine": {damaged}}}'})
        assert workspace.engine() == ""
