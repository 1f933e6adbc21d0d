"""The scenario language of the end-to-end tests: what is done, what must be seen, and what is kept when it is not.

A scenario owns one stack under a name and ports of its own. It never polls by hand: `eventually` waits for a condition
and names it. Whatever it made is removed at its end, and where a check fails, the stack's state is kept in artifacts/.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from bench.ports import free_port

STACKCTL = (sys.executable, "-m", "stackctl")
ARTIFACTS = Path(__file__).parents[2] / "artifacts"


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    command: str
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def json(self) -> dict[str, Any]:
        """The document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    def __str__(self) -> str:
        return f"$ {self.command}\n(exit {self.code}, {self.seconds:.1f} s)\n{self.stdout}{self.stderr}"


@dataclass
class Scenario:
    """One stack: `name`, its `folder` with stack.yaml, the port of its entry."""

    name: str
    folder: Path
    port: int
    ui: int
    client: docker.DockerClient = field(default_factory=docker.from_env)
    told: list[str] = field(default_factory=list)

    @property
    def spec(self) -> Path:
        """The stack's spec."""
        return self.folder / "stack.yaml"

    @property
    def url(self) -> str:
        """The published entry."""
        return f"http://127.0.0.1:{self.port}"

    def stackctl(self, *words: str, code: int | None = 0, timeout: float = 180.0, **environ: str) -> Result:
        """Run a command on this stack; fails unless it exits with `code` (None: any)."""
        result = run("-f", str(self.spec), *words, cwd=self.folder, timeout=timeout, **environ)
        self.told.append(str(result))
        assert code is None or result.code == code, f"wanted exit {code}:\n{result}"
        return result

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command and do not wait for it."""
        return subprocess.Popen(
            [*STACKCTL, "-f", str(self.spec), *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def verify(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The proof's document."""
        return self.stackctl("verify", "--format", "json", *words, code=code).json

    def diverges(self, layer: str, *, missing: tuple[str, ...] = (), extra: tuple[str, ...] = ()) -> dict[str, Any]:
        """The proof does not hold, and names this layer with these instances; gives what it says of it."""
        document = self.verify(code=3)
        found: dict[str, Any] = document["services"][0]["first_divergence"]
        assert document["converged"] is False
        assert found["layer"] == layer, found
        assert (tuple(found["missing"]), tuple(found["extra"])) == (missing, extra), found
        return found

    def id(self, service: str, number: int = 1) -> str:
        """An instance's id."""
        return f"{self.name}-{service}-{number}"

    def instances(self, service: str) -> tuple[str, ...]:
        """The ids of a service's instances, running or not."""
        return tuple(name for name in self.containers() if name.rpartition("-")[0] == f"{self.name}-{service}")

    def container(self, service: str, number: int = 1) -> Any:
        """An instance's container."""
        return self.client.containers.get(self.id(service, number))

    def inside(self, service: str, *command: str) -> str:
        """What a command prints in a container; fails unless it exits with 0."""
        code, output = self.container(service).exec_run(list(command))
        text = output.decode(errors="replace")
        assert code == 0, f"{command} in {service}: exit {code}: {text}"
        return str(text)

    def consul(self, method: str, path: str, body: object = None) -> Any:
        """One call of Consul's API through the published port."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.ui}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=5) as response:
            text = response.read()
        return json.loads(text) if text else None

    @contextmanager
    def frozen(self, service: str, pattern: str) -> Iterator[None]:
        """The processes of a container whose command line contains `pattern`, stopped (SIGSTOP) for a while."""
        pids = self.signal(service, pattern, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def signal(self, service: str, pattern: str, number: int) -> list[int]:
        """Send a signal to the processes of a container whose command line contains `pattern`; their process ids."""
        rows = self.container(service).top()["Processes"]
        pids = [int(row[1]) for row in rows if pattern in row[-1]]
        assert pids, f"no process of {service} matches {pattern!r}: {rows}"
        for pid in pids:
            os.kill(pid, number)
        return pids

    def page(self, path: str = "/") -> tuple[int, str]:
        """Status and text through the entry, over a fresh connection."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def containers(self) -> list[str]:
        """The names of all containers of the stack, running or not."""
        found = self.client.containers.list(all=True, filters={"label": f"stackctl.stack={self.name}"})
        return sorted(container.name for container in found)

    def clean(self) -> None:
        """Remove everything of this stack, also after a failure."""
        run("-f", str(self.spec), "down", "--volumes", cwd=self.folder, timeout=120)
        own = {"label": f"stackctl.stack={self.name}"}
        for container in self.client.containers.list(all=True, filters=own):
            container.remove(force=True, v=True)
        for network in self.client.networks.list(filters=own):
            network.remove()
        for volume in self.client.volumes.list(filters=own):
            volume.remove(force=True)

    def keep(self, label: str) -> Path:
        """Write what the stack's parts say and how its commands ended into artifacts/."""
        folder = ARTIFACTS / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "commands.txt").write_text("\n".join(self.told))
        for container in self.client.containers.list(all=True, filters={"label": f"stackctl.stack={self.name}"}):
            (folder / f"{container.name}.log").write_bytes(container.logs(tail=2000))
        for command in ("ps", "status", "config"):
            result = run("-f", str(self.spec), command, cwd=self.folder, timeout=60)
            (folder / f"{command}.txt").write_text(str(result))
        return folder


def run(*words: str, cwd: Path, timeout: float = 180.0, **environ: str) -> Result:
    """Run stackctl; the environment is this process's own, plus these."""
    began = time.monotonic()
    done = subprocess.run(
        [*STACKCTL, *words],
        cwd=cwd,
        env={**os.environ, "STACKCTL_IMAGES": os.environ.get("STACKCTL_IMAGES", "auto"), **environ},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    command = f"stackctl {' '.join(words)}"
    return Result(command, done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def eventually(condition: Callable[[], object], what: str, *, timeout: float = 60.0) -> Any:
    """Wait until a condition is true and give its value; fails after `timeout` seconds naming what was waited for."""
    deadline, last = time.monotonic() + timeout, None
    while time.monotonic() < deadline:
        last = condition()
        if last:
            return last
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout:g} s for {what}; last seen: {last!r}")


def new_scenario(folder: Path, *, replicas: int = 1, extra: str = "") -> Scenario:
    """The same stack as simple-web under another name, on other ports; `extra` is more YAML of `web`."""
    scenario = Scenario(f"e2e-{uuid.uuid4().hex[:8]}", folder, free_port(), free_port())
    scenario.spec.write_text(SPEC.format(scenario=scenario, replicas=replicas, extra=extra))
    return scenario


SPEC = """\
name: {scenario.name}
registry:
  consul: {{servers: 3, ui: {scenario.ui}}}
balancer:
  http: {scenario.port}
services:
  web:
    image: whoami
    port: 80
    replicas: {replicas}
    route: /
    check: {{http: /healthz, interval: 1s, timeout: 1s}}
    stop_grace: 10s
{extra}"""
