"""The engine `compose`: one Compose project, and single operations on its containers."""

from __future__ import annotations

import errno
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions

from stackctl.domain.host import HERE, Host
from stackctl.domain.instance import EngineState, Instance, Run
from stackctl.domain.plan import Operation
from stackctl.engine.client import LOOPBACK, connect, engine_address
from stackctl.engine.commands import docker_command, run
from stackctl.engine.inside import Inside
from stackctl.engine.observe import observe, publishers, strangers
from stackctl.errors import SpecError, StackctlError, Unreachable
from stackctl.ports import Progress

# Never what an instance is made from anew: a changed definition gets a replacement first. Nothing is built on the way.
LAUNCH = ("up", "--detach", "--no-recreate", "--no-build", "--pull", "missing", "--quiet-pull")
LEAVE = "leave"  # what a keepalived is told that only has to put the address down (its entrypoint.sh)
RECREATE = ("up", "--detach", "--no-deps", "--no-build", "--pull", "missing", "--quiet-pull")


class ComposeEngine:
    """One stack's Compose project on one engine, as `ports.Engine`."""

    def __init__(
        self,
        stack: str,
        network: str,
        file: Path,
        *,
        host: Host = HERE,
        project: str = "",
        client: docker.DockerClient | None = None,
    ) -> None:
        self.stack = stack
        self.network = network
        self.file = file
        self.host = host
        self.project = project or stack
        self.client = client or connect(host)

    def observe(self) -> EngineState:
        """What the engine has of the stack now."""
        return observe(self.client, self.stack, self.network, self.host)

    def check(self) -> None:
        """Ask Compose whether it accepts the stack's file; raises `SpecError` with its words, and changes nothing."""
        try:
            self._compose("compose-refused", "config", "--quiet")
        except StackctlError as error:
            raise SpecError((), id="compose-refused", hint=error.message) from error

    def has_images(self, tags: Iterable[str]) -> set[str]:
        """Those of the tags that the engine has."""
        wanted = list(tags)
        found = self.client.api.images(filters={"reference": wanted}) if wanted else []
        return {tag for image in found for tag in image["RepoTags"] or () if tag in wanted}

    def build(self, service: str) -> None:
        """Build the image of a service that has a folder."""
        self._compose("image-build-failed", "build", "--quiet", service)

    def send_images(self, tags: Iterable[str], progress: Progress) -> None:
        """Nothing: they were made on this engine."""

    def launch(self, operations: Iterable[Operation], seen: EngineState) -> None:
        """Create what is missing and start what does not run; what runs stays as it is.

        Stopped containers are started through Compose too, because it is Compose that brings configs into them. Raises
        `StackctlError` (`project-taken`) where the engine has another Compose project of that name.
        """
        self._refuse_strangers()
        more: Counter[str] = Counter()
        for operation in operations:
            more[operation.service] += operation.verb == "create"
        counts = {service: len(seen.of(service)) + count for service, count in more.items()}
        scales = [word for service, count in counts.items() for word in ("--scale", f"{service}={count}")]
        self._compose("launch-failed", *LAUNCH, *scales, *counts)

    def recreate(self, operation: Operation, grace: float) -> None:
        """Make one of a workload's containers anew, under its name and on the same volumes.

        Compose has no word for one of several: it makes all anew that are not up to date. But it counts on from the
        highest number there is, so the last one can be removed (SIGTERM, `grace` seconds) and gets its number back.
        """
        service, members = operation.service, self.observe().of(operation.service)
        self._put_down(members)
        last = max(members, key=lambda instance: (len(instance.id), instance.id), default=None)
        if last and len(members) > 1 and operation.instance == last.id:
            self.remove(last, grace)
            self.launch((replace(operation, verb="create"),), self.observe())
        else:
            self._compose("recreate-failed", *RECREATE, "--scale", f"{service}={max(len(members), 1)}", service)

    def unpause(self, instance: Instance) -> None:
        """Let a paused container go on."""
        self._call("unpause-failed", instance.id, lambda: self.client.containers.get(instance.id).unpause())

    def remove(self, instance: Instance, grace: float) -> None:
        """Stop one container (SIGTERM, `grace` seconds) and remove it with its anonymous volumes."""
        self._put_down((instance,))

        def stop_and_remove() -> None:
            container = self.client.containers.get(instance.id)
            container.stop(timeout=round(grace))
            container.remove(v=True)

        self._call("remove-failed", instance.id, stop_and_remove)

    def run_of(self, instance: Instance) -> Run:
        """How a container's runs ended so far; that of one that is gone never did."""
        found: list[Mapping[str, Any]] = []
        self._call("inspect-failed", instance.id, lambda: found.append(self.client.api.inspect_container(instance.id)))
        if not found:
            return Run()
        state = found[0]["State"]
        return Run(int(found[0].get("RestartCount") or 0), int(state["ExitCode"]), bool(state.get("OOMKilled")))

    def last_words(self, instance: Instance, lines: int) -> str:
        """The end of what a container printed."""
        id, found = instance.id, list[bytes]()
        self._call("logs-failed", id, lambda: found.append(self.client.containers.get(id).logs(tail=lines)))
        return b"".join(found).decode(errors="replace").rstrip()

    def down(self, *, volumes: bool) -> None:
        """Remove the project's containers and networks, and its volumes where asked; works without its file too.

        Raises `StackctlError` (`project-taken`) where others belong to it, and removes nothing.
        """
        self._refuse_strangers()
        self._put_down(self.observe().instances)
        words = self._project("down", "--remove-orphans", *(["--volumes"] if volumes else []))
        run("down-failed", words, str(self.file), self.host)
        for name in self.observe().volumes if volumes else ():
            self._remove_volume(name)

    def _refuse_strangers(self) -> None:
        """Compose knows its projects by nothing but their names: what another one has would be taken for ours."""
        found: list[str] = []
        look = partial(strangers, self.client, self.stack, self.project)
        self._call("observe-failed", self.project, lambda: found.extend(look()))
        if found:
            raise StackctlError(
                "project-taken",
                f"the engine has another Compose project {self.project!r}, not of this stack: {', '.join(found[:5])}",
                where=str(self.file),
                hint="give the stack another `name`, or remove that project with docker compose; nothing was changed",
            )

    def _put_down(self, instances: Iterable[Instance]) -> None:
        """The shared address, where a keepalived was killed and nobody started it again: else its machine keeps it."""
        for instance in instances:
            if instance.role == "vip" and instance.state != "running":
                self._call("address-not-put-down", instance.id, partial(self._leave, instance.id))

    def _leave(self, id: str) -> None:
        made = self.client.api.inspect_container(id)
        rights: dict[str, Any] = {"network_mode": "host", "cap_drop": ["ALL"], "cap_add": ["NET_ADMIN"]}
        self.client.containers.run(made["Image"], [*made["Config"]["Cmd"], LEAVE], remove=True, **rights)

    def _remove_volume(self, name: str) -> None:
        self._call("volume-not-removed", name, lambda: self.client.volumes.get(name).remove())

    def logs(self, services: Iterable[str], *, tail: str, follow: bool) -> Iterator[str]:
        """The containers' output, line by line."""
        words = self._project("logs", "--tail", tail, *(["--follow"] if follow else []), *services)
        command = (*docker_command(self.host), *words)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
            assert process.stdout is not None
            yield from process.stdout

    def holder(self, port: int) -> str:
        """A container of another stack's or of none; where the ports are this machine's, another process too."""
        holders = publishers(self.client, port)
        if self.stack in holders.values():
            return ""
        if holders:
            return f"the container {min(holders)}"
        here = engine_address(self.host) == LOOPBACK
        return "another process on this machine" if here and _taken(port) else ""

    def inside(self, instance: Instance) -> Inside:
        """A conversation with the probe in a container."""
        return Inside(instance.container, self.host)

    def address(self, instance: Instance) -> str:  # noqa: ARG002 - all are on one machine
        """The engine's machine, for every instance."""
        return engine_address(self.host)

    def _project(self, *words: str) -> list[str]:
        """Compose without a file: it knows the project by its containers' labels, also when the file is gone."""
        return ["compose", "--project-name", self.project, *words]

    def _compose(self, id: str, *words: str) -> None:
        """Compose with the stack's file."""
        run(id, self._project("--file", str(self.file), *words), str(self.file), self.host)

    def _call(self, id: str, name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except docker.errors.NotFound:
            return  # gone already, which is what was wanted
        except docker.errors.APIError as error:
            raise StackctlError(id, error.explanation or str(error), where=name, hint="stackctl ps") from error
        except docker.errors.ContainerError as error:
            raise StackctlError(id, str(error), where=name, hint="docker start it, and try again") from error
        except requests.exceptions.RequestException as error:
            raise Unreachable("engine-lost", f"the engine stopped answering: {error}", where=name) from error


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
