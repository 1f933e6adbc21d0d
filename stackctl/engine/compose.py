"""The engine `compose`: one Compose project, and single operations on its containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import docker
import docker.errors
import requests.exceptions

from stackctl.domain.instance import EngineState
from stackctl.engine.client import connect, docker_cli
from stackctl.engine.observe import observe
from stackctl.errors import SpecError, StackctlError, Unreachable

if TYPE_CHECKING:
    from python_on_whales.components.compose.cli_wrapper import ComposeCLI
    from python_on_whales.exceptions import DockerException


class ComposeEngine:
    """One stack's Compose project. Makes no decision: it does what it is told, and says what failed."""

    def __init__(self, stack: str, network: str, file: Path) -> None:
        self.stack = stack
        self.network = network
        self.file = file
        self.client = connect()

    def observe(self) -> EngineState:
        """What the engine has of the stack now."""
        return observe(self.client, self.stack, self.network)

    def check(self, file: Path) -> None:
        """Ask Compose whether it accepts a file; raises `SpecError` with its words, and changes nothing."""
        try:
            self._run("compose-refused", lambda: self._compose(file).config(return_json=True))
        except StackctlError as error:
            raise SpecError((), id="compose-refused", hint=error.message) from error

    def has_image(self, tag: str) -> bool:
        """Whether the engine has an image of this tag."""
        return bool(self.client.images.list(name=tag))

    def build(self, service: str) -> None:
        """Build the image of a service that has a folder."""
        self._run("image-build-failed", lambda: self._compose().build([service], quiet=True))

    def launch(self, replicas: Mapping[str, int]) -> None:
        """Create what is missing up to these numbers and start what does not run; what runs stays as it is.

        Stopped containers are started through Compose too, because it is Compose that brings configs into them.
        """

        def up() -> None:
            self._compose().up(
                list(replicas),
                detach=True,
                recreate=False,
                no_build=True,
                pull="missing",
                scales=dict(replicas),
                quiet=True,
            )

        self._run("launch-failed", up)

    def recreate(self, service: str) -> None:
        """Make a workload's containers anew, on the same volumes."""
        self._run(
            "recreate-failed",
            lambda: self._compose().up(
                [service], detach=True, no_build=True, pull="missing", dependencies=False, quiet=True
            ),
        )

    def unpause(self, id: str) -> None:
        """Let a paused container go on."""
        self._call("unpause-failed", id, lambda: self.client.containers.get(id).unpause())

    def remove(self, id: str, grace: float) -> None:
        """Stop one container (SIGTERM, `grace` seconds) and remove it with its anonymous volumes."""

        def stop_and_remove() -> None:
            container = self.client.containers.get(id)
            container.stop(timeout=round(grace))
            container.remove(v=True)

        self._call("remove-failed", id, stop_and_remove)

    def down(self, *, volumes: bool) -> None:
        """Remove the project's containers and networks, and its volumes where asked."""
        self._run("down-failed", lambda: self._project().down(remove_orphans=True, volumes=volumes, quiet=True))
        for name in self.observe().volumes if volumes else ():
            self._remove_volume(name)

    def _remove_volume(self, name: str) -> None:
        self._call("volume-not-removed", name, lambda: self.client.volumes.get(name).remove())

    def logs(self, services: Iterable[str], *, tail: str, follow: bool) -> Iterator[tuple[str, bytes]]:
        """The containers' output, line by line."""
        lines = self._project().logs(list(services), tail=tail, follow=follow, stream=True)
        return cast(Iterator[tuple[str, bytes]], lines)

    def _compose(self, file: Path | None = None) -> ComposeCLI:
        """Compose with the stack's file."""
        from python_on_whales import DockerClient  # (a quarter of a second that commands which only look never pay)

        files: list[str | Path] = [file or self.file]
        return DockerClient(client_call=[docker_cli()], compose_files=files, compose_project_name=self.stack).compose

    def _project(self) -> ComposeCLI:
        """Compose without a file: it knows the project by its containers' labels, also when the file is gone."""
        from python_on_whales import DockerClient

        return DockerClient(client_call=[docker_cli()], compose_project_name=self.stack).compose

    def _run(self, id: str, call: Callable[[], object]) -> None:
        from python_on_whales.exceptions import DockerException

        try:
            call()
        except DockerException as error:
            raise StackctlError(id, _last_words(error), where=str(self.file), hint="stackctl doctor") from error

    def _call(self, id: str, name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except docker.errors.NotFound:
            return  # gone already, which is what was wanted
        except docker.errors.APIError as error:
            raise StackctlError(id, error.explanation or str(error), where=name, hint="stackctl ps") from error
        except requests.exceptions.RequestException as error:
            raise Unreachable("engine-lost", f"the engine stopped answering: {error}", where=name) from error


def _last_words(error: DockerException) -> str:
    """The engine's own message without the command line in front of it."""
    lines = [line.strip() for line in (error.stderr or "").splitlines() if line.strip()]
    return lines[-1] if lines else str(error)
