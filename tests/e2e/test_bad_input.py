"""Bad input: a clear error, the right exit code, nothing started, nothing lost."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.scenario import Scenario, new_scenario, run

pytestmark = pytest.mark.engine


@pytest.fixture
def bad(tmp_path: Path) -> Iterator[Scenario]:
    """A stack that must never come into being."""
    own = new_scenario(tmp_path)
    yield own
    assert own.containers() == []
    own.clean()


SPECS = {
    "not YAML": (b"name: [", 2),
    "not UTF-8": (b"name: caf\xe9\n", 2),
    "empty": (b"", 2),
    "unknown key": (b"name: a\nservices: {web: {image: whoami, port: 80, replica: 1}}\n", 2),
    "duplicate key": (b"name: a\nname: b\n", 2),
    "duplicate service": (
        b"name: a\nservices:\n  web: {image: whoami, port: 80}\n  web: {image: whoami, port: 81}\n",
        2,
    ),
    "a name with nginx's syntax": (b"name: a\nservices: {'web;{}$': {image: whoami, port: 80}}\n", 2),
    "a name with a newline": (b'name: a\nservices: {"web\\nx": {image: whoami, port: 80}}\n', 2),
    "a name with a Jinja tag": (b'name: "{{ 1 }}"\nservices: {web: {image: whoami, port: 80}}\n', 2),
    "a name that climbs": (b"name: ../a\nservices: {web: {image: whoami, port: 80}}\n", 2),
    "two services on one path": (
        b"name: a\nservices:\n  x: {image: whoami, port: 80, route: /}\n  y: {image: whoami, port: 80, route: /}\n",
        2,
    ),
}


@pytest.mark.parametrize("kind", SPECS)
def test_spec(bad: Scenario, kind: str) -> None:
    """Every command that reads the spec refuses it with file, line and column, and starts nothing."""
    content, code = SPECS[kind]
    bad.spec.write_bytes(content)
    for command in ("validate", "up"):
        result = bad.stackctl(command, code=code)
        assert result.stdout == ""
        assert "error[" in result.stderr
        assert f"{bad.spec}:" in result.stderr
        assert "Traceback" not in result.stderr


def test_misspelt_key_gets_a_suggestion(bad: Scenario) -> None:
    """A key that is nearly right is named with the right one and its place."""
    bad.spec.write_text(bad.spec.read_text().replace("replicas:", "replica:"))
    result = bad.stackctl("validate", code=2)
    assert f"{bad.spec}:10:5" in result.stderr
    assert "`replicas`" in result.stderr


def test_port_taken_by_a_process(bad: Scenario) -> None:
    """A port that another process holds is named before anything is started."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", bad.port))
        holder.listen()
        result = bad.stackctl("up", code=1, timeout=600)
    assert "error[port-taken]" in result.stderr
    assert str(bad.port) in result.stderr


def test_port_taken_by_a_stack(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A port that another stack publishes is refused with that container's name, and that stack goes on."""
    scenario.stackctl("up", timeout=600)
    second = new_scenario(tmp_path_factory.mktemp("second"))
    second.spec.write_text(second.spec.read_text().replace(f"http: {second.port}", f"http: {scenario.port}"))
    result = second.stackctl("up", code=1)
    assert scenario.id("lb") in result.stderr
    assert second.containers() == []
    assert scenario.verify()["converged"]

    before = scenario.containers()
    for words in (
        ["web=-1"],
        ["web=1e9"],
        ["web=x"],
        ["web=1000000000"],
        ["web="],
        ["nosuch=3"],
        ["web=1", "web=2"],
        [],
    ):
        refused = scenario.stackctl("scale", *words, code=2)
        assert "Traceback" not in refused.stderr
        assert refused.stdout == ""
    good = scenario.spec.read_text()
    scenario.spec.write_text(good.replace("route: /", "route: /;"))
    scenario.stackctl("up", code=2)
    scenario.spec.write_text(good + "    compose: {mem_limit: [nonsense]}\n")
    refused = scenario.stackctl("up", code=2)
    assert "compose-refused" in refused.stderr
    scenario.spec.write_text(good)
    assert scenario.containers() == before
    assert scenario.verify()["converged"]


def test_no_engine(bad: Scenario) -> None:
    """Without an engine every command that needs one exits with 4 and a hint; those that need none work."""
    silent = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    for words in (["up"], ["plan"], ["verify"], ["ps"], ["status"], ["logs"], ["config"], ["down"], ["scale", "web=2"]):
        result = run("-f", str(bad.spec), *words, cwd=bad.folder, **silent)
        assert result.code == 4, result
        assert "error[engine-unreachable]" in result.stderr
        assert "hint:" in result.stderr
    assert run("doctor", cwd=bad.folder, **silent).code == 4
    for words in (["validate"], ["schema"], ["render"], ["list"], ["version"]):
        assert run("-f", str(bad.spec), *words, cwd=bad.folder, **silent).code == 0


def test_usage(bad: Scenario) -> None:
    """Unknown commands, options and stacks exit with 2 and say what there is."""
    assert "Did you mean 'verify'" in bad.stackctl("verfy", code=2).stderr
    assert bad.stackctl("up", "--nonsense", code=2).stdout == ""
    unknown = run("up", "simple-wep", cwd=bad.folder)
    assert unknown.code == 2
    assert "simple-web" in unknown.stderr
    assert bad.stackctl("scale", "web=2", code=2).stderr.startswith("error[stack-not-up]")
    assert bad.stackctl("config", code=4).stderr.startswith("error[no-balancer]")


def test_verify_of_nothing(bad: Scenario) -> None:
    """A stack that is not up has not converged."""
    found = bad.diverges("engine", missing=(bad.id("web"),))
    assert "absent" in found["reason"]
    assert [path.name for path in bad.folder.iterdir()] == ["stack.yaml"]
