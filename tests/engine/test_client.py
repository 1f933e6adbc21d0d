"""The way to the engine: the words for an engine that does not answer, and the choice of the command."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stackctl.domain.host import Host
from stackctl.engine.client import connect, engine_address, unreachable
from stackctl.engine.commands import docker_cli, docker_command
from stackctl.errors import Unreachable


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever engine the tests themselves use is not what these are about."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)


def test_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine that is not there: exit 4, where it was looked for, and a hint."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(Unreachable) as caught:
        connect()
    error = caught.value
    assert (error.exit_code, error.id) == (4, "engine-unreachable")
    assert error.message == "no Docker engine answers: there is no socket"
    assert error.where == f"DOCKER_HOST=unix://{tmp_path}/none.sock" and "unset DOCKER_HOST" in error.hint


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without an engine is said to refuse."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match="the connection was refused"):
        connect()


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:99999", "tcp://x:abc", "tcp://127.0.0.1:-1", "tcp://[::1"])
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """No engine answers there either: exit 4 and where it was said, and for its ports this machine."""
    monkeypatch.setenv("DOCKER_HOST", url)
    with pytest.raises(Unreachable) as caught:
        connect()
    assert (caught.value.id, caught.value.where) == ("engine-unreachable", f"DOCKER_HOST={url}")
    assert engine_address()


def test_silent_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that accepts and says nothing is given up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(Unreachable, match="said nothing"):
            connect(patience=1)


def test_unknown_context_is_not_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt context is an error, never silently the local engine."""
    monkeypatch.setenv("DOCKER_CONTEXT", "no-such-context")
    with pytest.raises(Unreachable, match="no such context") as caught:
        connect()
    assert "unset DOCKER_CONTEXT" in caught.value.hint


def test_forbidden_socket_has_its_own_hint() -> None:
    """Whoever may not use the socket is told about the group, not to start Docker."""
    error = unreachable("('Connection aborted.', PermissionError(13, 'Permission denied'))")
    assert "group `docker`" in error.hint and error.message.endswith("permission denied")


def test_command_without_any_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no docker is installed the name alone is returned, and the hint is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("stackctl.engine.commands.DEBIAN_CLIENTS", ())
    assert docker_cli() == "docker"
    assert unreachable("No such file or directory: 'docker'").hint.startswith("install Docker")


@pytest.mark.parametrize(
    ("host", "words", "address"),
    [
        (Host("one", context="one"), ("--context", "one"), "127.0.0.1"),
        (Host("one", url="ssh://me@one.test"), ("--host", "ssh://me@one.test"), "one.test"),
        (Host("one", url="tcp://192.0.2.7:2376"), ("--host", "tcp://192.0.2.7:2376"), "192.0.2.7"),
    ],
)
def test_the_way_to_a_host(
    host: Host, words: tuple[str, ...], address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command is told which engine is meant, whatever the environment chooses, and ports are looked for there."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.99:2375")
    assert docker_command(host)[1:] == words
    assert engine_address(host) == address


def test_host_that_does_not_answer() -> None:
    """It is named, with the command that shows the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unreachable, match="two does not answer: the connection was refused") as caught:
        connect(Host("two", url=url))
    assert (caught.value.where, caught.value.hint) == ("two", f"docker --host {url} info")
