"""A stack's whole life by the command line: up, plan, scale, look, render, down."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.ports import free_port
from tests.e2e.scenario import Scenario, eventually

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]


def test_up_scale_down(scenario: Scenario) -> None:
    """One instance is proven, three are, one is again, and nothing is left at the end."""
    result = scenario.stackctl("up", "--format", "json", timeout=600)
    assert result.json["schema"] == "stackctl/up/v1"
    assert result.json["converged"] is True
    status, page = scenario.page()
    assert status == 200
    assert "to WebServer" in page

    assert scenario.stackctl("plan").stdout == "nothing to do\n"
    scenario.stackctl("plan", "--exit-code", code=0)
    again = scenario.stackctl("up", "--format", "json").json
    assert again["operations"] == []

    scenario.stackctl("scale", "web=3")
    document = scenario.verify()
    (web,) = document["services"]
    ids = [scenario.id("web", number) for number in (1, 2, 3)]
    assert web["desired"] == ids
    assert web["layers"]["engine"] == ids
    assert web["layers"]["registry"] == ids
    assert web["layers"]["config"] == {scenario.id("lb"): ids}
    assert set(web["layers"]["traffic"]) == {scenario.id("lb"), f"entry 127.0.0.1:{scenario.port}"}
    for met in web["layers"]["traffic"].values():
        assert sorted(met["by_instance"]) == ids
        assert (met["errors"], met["strangers"]) == (0, 0)
    assert web["first_divergence"] is None
    assert len({scenario.page()[1].rpartition("WebServer")[2] for _ in range(9)}) == 3

    pending = scenario.stackctl("plan", "--exit-code", code=6).stdout.splitlines()
    assert [line.split()[:2] for line in pending] == [["drain", ids[2]], ["drain", ids[1]]]

    scenario.stackctl("scale", "web=1")
    assert [name for name in scenario.containers() if "-web-" in name] == ids[:1]
    compose = scenario.folder / ".stackctl" / scenario.name / "compose.yaml"
    dry = subprocess.run(
        ["/usr/bin/env", "docker", "compose", "-f", str(compose), "up", "-d", "--no-build"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Recreate" not in dry.stderr
    assert "Creat" not in dry.stderr
    assert scenario.verify()["converged"]

    scenario.stackctl("down")
    assert scenario.containers() == []
    assert not compose.exists()
    volumes = scenario.client.volumes.list(filters={"label": f"stackctl.stack={scenario.name}"})
    assert len(volumes) == 4
    scenario.stackctl("up")  # Consul finds its state again, under other addresses
    scenario.stackctl("down", "--volumes")
    assert scenario.client.volumes.list(filters={"label": f"stackctl.stack={scenario.name}"}) == []
    assert scenario.stackctl("down").stdout == f"{scenario.name} was not up\n"


def test_definition_changes(scenario: Scenario) -> None:
    """A changed service is replaced before the old instance goes; a removed one is drained."""
    scenario.stackctl("up", timeout=600)
    text = scenario.spec.read_text()
    scenario.spec.write_text(text + "    compose: {environment: {COLOUR: blue}}\n")
    lines = scenario.stackctl("plan").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["create", scenario.id("web", 2)], ["drain", scenario.id("web")]]
    scenario.stackctl("up")
    assert [name for name in scenario.containers() if "-web-" in name] == [scenario.id("web", 2)]
    environment = scenario.container("web", 2).attrs["Config"]["Env"]
    assert "COLOUR=blue" in environment


def test_two_balancers(scenario: Scenario) -> None:
    """Each of two balancers has an entry of its own and is proven by itself."""
    before, scenario.port = scenario.port, free_port(2)
    text = scenario.spec.read_text().replace(f"http: {before}", f"http: {scenario.port}\n  replicas: 2")
    scenario.spec.write_text(text)
    scenario.stackctl("up", timeout=600)
    (web,) = scenario.verify()["services"]
    assert set(web["layers"]["config"]) == {scenario.id("lb"), scenario.id("lb", 2)}
    assert len(web["layers"]["traffic"]) == 4


def test_interrupted_up(scenario: Scenario) -> None:
    """Ctrl-C in the middle of `up` exits with 130, and the next `up` completes."""
    process = scenario.start("up")
    eventually(scenario.containers, "the first container", timeout=300)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    scenario.stackctl("up")
    assert scenario.verify()["converged"]


def test_one_command_at_a_time(scenario: Scenario) -> None:
    """The second changing command names the first one instead of waiting or interfering."""
    process = scenario.start("up")
    eventually((scenario.folder / ".stackctl" / scenario.name / "lock").exists, "the lock")
    second = scenario.stackctl("down", code=1)
    assert "error[stack-locked]" in second.stderr
    assert f"process {process.pid}" in second.stderr
    process.communicate(timeout=600)
    assert process.returncode == 0


def test_rendered_files_run_without_stackctl(scenario: Scenario) -> None:
    """`docker compose up` on the rendered folder is the same stack."""
    scenario.stackctl("up", "--no-wait", timeout=600)  # makes the images
    scenario.stackctl("down", "--volumes")
    scenario.stackctl("render", "-o", str(scenario.folder / "out"))
    file = str(scenario.folder / "out" / "compose.yaml")
    subprocess.run(["docker", "compose", "-f", file, "up", "-d", "--wait"], check=True, capture_output=True)
    assert eventually(lambda: scenario.page()[0] == 200, "the page", timeout=60)
    assert scenario.verify("--timeout", "30s")["converged"]


def test_wheel(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The wheel, installed into an empty folder, brings the bundled stack up: templates and sample apps are in it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("stackctl-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    subprocess.run([str(folder / "venv/bin/pip"), "--quiet", "install", str(wheel)], check=True)
    stackctl = str(folder / "venv/bin/stackctl")

    listed = subprocess.run(
        [stackctl, "list", "--format", "json"], check=True, capture_output=True, text=True, cwd=folder
    )
    (bundled,) = (s for s in json.loads(listed.stdout)["stacks"] if s["name"] == "simple-web")
    assert bundled["path"].startswith(str(folder))
    # The bundled spec under the scenario's name and ports, so that a stack that somebody runs stays alone.
    text = Path(bundled["path"]).read_text()
    scenario.spec.write_text(re.sub(r"(?m)^name: simple-web\b", f"name: {scenario.name}", text))
    environ = {**os.environ, "HTTP_PORT": str(scenario.port), "UI_PORT": str(scenario.ui)}
    subprocess.run([stackctl, "up", str(scenario.folder)], check=True, env=environ, cwd=folder)
    assert scenario.page()[0] == 200
