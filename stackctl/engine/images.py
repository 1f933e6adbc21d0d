"""Images made sure of: found on the engine, or built from what a registry or Debian has. None is ever deleted."""

from __future__ import annotations

import select
import subprocess
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from stackctl.domain.image import BASE, ImageBuild, ImagePolicy, Recipe
from stackctl.engine.base import bootstrap, can_bootstrap
from stackctl.engine.build import Builder, Report
from stackctl.engine.client import unreachable
from stackctl.engine.commands import docker_cli
from stackctl.errors import StackctlError

PATIENCE = 5.0  # seconds for a registry's first word; offline must not mean waiting
AT_ONCE = 4  # builds wait for downloads as often as for the processor


def ensure(builds: Iterable[ImageBuild], policy: ImagePolicy, report: Report) -> None:
    """Make every image that the engine does not have yet; `report` is told (component, what happens), by several
    threads but never by two at once.

    Raises `Unreachable` without an engine, and `StackctlError` where an image can't be made.
    """
    wanted, report = tuple(builds), _in_turn(report)
    present = _present(build.tag for build in wanted)
    missing = [build for build in wanted if build.tag not in present]
    if not missing:
        return
    bases = _Bases(policy, report, _present(recipe.base for build in missing for recipe in build.allowed(policy)))
    chosen = [(build, bases.first(build)) for build in missing]
    builder = Builder(report)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for done in as_completed([pool.submit(builder.build, build, recipe) for build, recipe in chosen]):
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            builder.cancel()
            raise


@dataclass(slots=True)
class _Bases:
    """The images to start from; the first registry that does not answer is the last one asked in a run."""

    policy: ImagePolicy
    report: Report
    present: set[str]
    offline: bool = False

    def first(self, build: ImageBuild) -> Recipe:
        """The first recipe whose base is there or can be had."""
        for recipe in build.allowed(self.policy):
            if self._available(recipe.base):
                return recipe
        hint = "get on line, or load it from a machine that has it (docker save, docker load)"
        if self.policy != "registry":
            hint += "; on Debian or Ubuntu, as root and with mmdebstrap installed, stackctl makes it itself"
        message = f"{build.recipes[-1].base} is not on the engine, and no image registry answers"
        raise StackctlError("image-base-missing", message, where=build.tag, hint=hint)

    def _available(self, base: str) -> bool:
        if base not in self.present and (self._pull(base) or self._make(base)):
            self.present.add(base)
        return base in self.present

    def _pull(self, base: str) -> bool:
        if self.policy == "debian" or self.offline:
            return False
        self.report(base, "pulling")
        self.offline = not pull(base)
        self.report(base, "no registry has it" if self.offline else "pulled")
        return not self.offline

    def _make(self, base: str) -> bool:
        if base != BASE or self.policy == "registry" or not can_bootstrap():
            return False
        self.report(base, "making it from Debian's packages")
        bootstrap()
        self.report(base, "made from Debian's packages")
        return True


def pull(reference: str, patience: float = PATIENCE) -> bool:
    """Pull an image; False where the registry says nothing within a few seconds, or says no.

    Only its first word is waited for so briefly: `docker pull` writes it when the registry has shown the manifest.
    """
    command = (docker_cli(), "pull", reference)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            if select.select([process.stdout], [], [], patience)[0]:
                process.communicate()
        finally:
            process.kill()  # nothing happens to one that has ended
    return process.returncode == 0


def _in_turn(report: Report) -> Report:
    lock = threading.Lock()

    def one_at_a_time(subject: str, message: str) -> None:
        with lock:
            report(subject, message)

    return one_at_a_time


def _present(references: Iterable[str]) -> set[str]:
    """Those of the references that the engine has, in one question."""
    filters = [f"--filter=reference={reference}" for reference in references]
    command = (docker_cli(), "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", *filters)
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise unreachable(str(error)) from error
    if answer.returncode != 0:
        raise unreachable(answer.stderr)
    return set(answer.stdout.split())
