"""One `docker build` after the other or beside it: context in, image out, and the end of the log where it fails."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping

from stackctl.domain.image import ImageBuild, Recipe
from stackctl.engine.commands import docker_cli
from stackctl.errors import StackctlError

Report = Callable[[str, str], None]

LOG_LINES = 12
STEP = re.compile(r"(?:^#\d+ \[|^Step )\s*(\d+)/\d+")  # BuildKit's plain progress, or the classic builder's
OFFLINE = re.compile(r"(?i)could not resolve|temporary failure resolving|failed to fetch|could not connect|timed out")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Builder:
    """Runs builds, from several threads if need be; `cancel` ends those that run."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._running: set[subprocess.Popen[str]] = set()

    def build(self, image: ImageBuild, recipe: Recipe) -> None:
        """Build an image and tag it; raises `StackctlError` with the end of the log."""
        started = time.monotonic()
        self._report(image.component, f"building from {recipe.base}")
        code, log = self._run(image, recipe)
        if code != 0:
            raise failed(image, log)
        self._report(image.component, f"built in {time.monotonic() - started:.1f} s")

    def cancel(self) -> None:
        """End the builds that run; what the builder has finished stays in its cache."""
        for process in tuple(self._running):
            process.terminate()

    def _run(self, image: ImageBuild, recipe: Recipe) -> tuple[int, list[str]]:
        log: list[str] = []
        with tempfile.TemporaryFile() as context:
            context.write(archive(recipe.files))
            context.seek(0)
            with subprocess.Popen(
                command(image, os.environ),
                env=environment(os.environ),
                stdin=context,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                self._running.add(process)
                for line in process.stdout or ():
                    log.append(line.rstrip())
                    if step := STEP.match(line):
                        self._report(image.component, f"building, step {step[1]}")
                self._running.discard(process)
        return process.returncode, log


def command(image: ImageBuild, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The build as a command that reads its context from standard input; proxies are passed on by name."""
    labels = (f"--label=stackctl.component={image.component}", f"--label=stackctl.digest={image.digest}")
    proxies = (f"--build-arg={name}" for name in PROXIES if name in environ)
    return (docker_cli(), "build", f"--tag={image.tag}", *labels, *proxies, "-")


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What it runs with: plain progress, and the engine's own builder, because images of others do not land there."""
    return {**environ, "BUILDKIT_PROGRESS": "plain", "BUILDX_BUILDER": "default"}


def archive(files: Mapping[str, str]) -> bytes:
    """A build context as a tar; equal files give equal bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in sorted(files.items()):
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def failed(image: ImageBuild, log: list[str]) -> StackctlError:
    """The error for a build that failed, with the hint that fits its log."""
    tail = "\n".join(f"    {line}" for line in [line for line in log if line.strip()][-LOG_LINES:])
    if any(OFFLINE.search(line) for line in log):
        hint = "the build reached no Debian archive: check this machine's network, or set HTTP_PROXY and HTTPS_PROXY"
    else:
        hint = "the end of the build's log is above; `docker system df` shows whether the disk is full"
    message = f"{image.component} could not be built:\n{tail}"
    return StackctlError("image-build-failed", message, where=image.tag, hint=hint)
