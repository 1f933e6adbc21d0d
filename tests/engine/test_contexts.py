"""Docker contexts read from the command's store, with or without a config.json beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from stackctl.engine.client import engine_address
from stackctl.engine.contexts import chosen_context, context_client, contexts, find_context
from stackctl.engine.lab import unfit


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own with one context, `node`."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    folder = tmp_path / "contexts" / "meta" / hashlib.sha256(b"node").hexdigest()
    folder.mkdir(parents=True)
    endpoint = {"Host": "tcp://192.0.2.11:2376", "SkipTLSVerify": False}
    meta = {"Name": "node", "Metadata": {"Description": "one of ours"}, "Endpoints": {"docker": endpoint}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return tmp_path


def test_found_by_name_and_by_description() -> None:
    """A context is what its meta.json says; one that is not there is None."""
    found = find_context("node")
    assert found is not None
    assert (found.host, found.description) == ("tcp://192.0.2.11:2376", "one of ours")
    assert contexts("one of ours") == ("node",) and contexts("another's") == ()
    assert find_context("other") is None and context_client("other", 1) is None


def test_broken_meta_is_no_context(store: Path) -> None:
    """A file that is not what the command writes counts as none."""
    (meta,) = store.glob("contexts/meta/*/meta.json")
    meta.write_text("{")
    assert find_context("node") is None and contexts("one of ours") == ()


def test_choice_in_the_commands_order(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST beats DOCKER_CONTEXT beats what `docker context use` wrote; `default` is no name."""
    assert chosen_context() == ""
    (store / "config.json").write_text('{"currentContext": "node"}')
    assert chosen_context() == "node" and engine_address() == "192.0.2.11"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert chosen_context() == "" and engine_address() == "127.0.0.1"
    monkeypatch.setenv("DOCKER_CONTEXT", "node")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.9:2375")
    assert chosen_context() == "" and engine_address() == "192.0.2.9"


def test_other_authorities_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this account trusts elsewhere (REQUESTS_CA_BUNDLE), and its proxy, are not for a context's engine."""
    client = context_client("node", 1)
    assert client is not None and client.api.trust_env is False


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"OperatingSystem": "Debian GNU/Linux 13"}, ""),
        ({"OperatingSystem": "Docker Desktop"}, "virtual machine"),
        ({"OperatingSystem": "Debian", "SecurityOptions": ["name=seccomp", "name=rootless"]}, "rootless"),
    ],
)
def test_engines_that_can_have_no_nodes(info: dict[str, object], reason: str) -> None:
    """An engine that can't run a lab is known by what it says of itself, before anything is made."""
    assert reason in unfit(info) and bool(unfit(info)) is bool(reason)
