"""The base image made on this machine, for where no image registry answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from stackctl.domain.image import BASE
from stackctl.engine.commands import docker_cli
from stackctl.errors import StackctlError

SUITE = "trixie"
# What makes Debian's own slim image slim; later packages follow the same rules. Without unsafe-io dpkg syncs every file
# of an image that is thrown away if the power fails.
DPKG_OPTIONS = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
    "force-unsafe-io",
)
# A machine whose archive is a snapshot, or whose clock is off, says so here; its images need the same.
INHERITED = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")


def can_bootstrap() -> bool:
    """Whether this machine can make the base: Debian or Ubuntu, as root, with mmdebstrap."""
    return os.geteuid() == 0 and bool(shutil.which("mmdebstrap") and shutil.which("apt-get"))


def bootstrap() -> None:
    """Make the base from the archive that this machine itself uses and import it under the name of the official one.

    Raises `StackctlError` where that fails.
    """
    with tempfile.TemporaryFile() as errors:
        command = mmdebstrap(sources(), apt_options())
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as archive:
            try:
                imported = subprocess.run(
                    import_command(), stdin=archive.stdout, capture_output=True, text=True, check=False
                )
            except BaseException:
                archive.terminate()  # it tidies up
                raise
        if archive.returncode == 0 and imported.returncode == 0:
            # Tagged last: half an archive may have been imported, but never gets the name.
            subprocess.run((docker_cli(), "tag", imported.stdout.strip(), BASE), check=True, capture_output=True)
            return
        errors.seek(0)
        log = errors.read().decode(errors="replace") + imported.stderr
    raise StackctlError(
        "image-base-missing",
        f"{BASE} could not be made by mmdebstrap:\n" + "\n".join(f"    {line}" for line in log.splitlines()[-12:]),
        hint=f"does `apt-get update` work on this machine? Or load it from another one: docker save {BASE}",
    )


def mmdebstrap(lines: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    """The command that writes the base's archive to its output."""
    return (
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        *(f"--dpkgopt={option}" for option in DPKG_OPTIONS),
        *(f"--aptopt={option}" for option in options),
        SUITE,
        "-",
        *lines,
    )


def import_command() -> tuple[str, ...]:
    """The command that makes an image of an archive on its input and writes the image's id."""
    settings = ('CMD ["bash"]', "LABEL stackctl.component=base")
    return (docker_cli(), "import", *(f"--change={setting}" for setting in settings), "-")


def sources() -> tuple[str, ...]:
    """The machine's own Debian archive as sources for the base's suite; none leaves the choice to mmdebstrap."""
    found = _archives()
    if not found:  # a fresh machine has no lists yet
        subprocess.run(("apt-get", "update", "-qq"), check=False, capture_output=True)
        found = _archives()
    return tuple(f"deb {uri} {SUITE}{rest} main" for uri, rest in found)


def _archives() -> tuple[tuple[str, str], ...]:
    """Archives and what follows the suite's name in them: nothing, `-updates` or `-security`.

    apt is asked and not its files, because it knows every format, what is switched off, and (from the signed Release
    files) which sources are Debian's.
    """
    filters = ("Created-By: Packages", "Origin: Debian", "Component: main")
    command = ("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", *filters)
    answer = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    pairs = {tuple(line.split()) for line in answer.splitlines()}
    suffixes = {(uri, suite[len(suite.partition("-")[0]) :]) for suite, uri in pairs}
    return tuple(sorted((pair for pair in suffixes if pair[1] in ("", "-updates", "-security")), key=lambda p: p[1]))


def apt_options() -> tuple[str, ...]:
    """This machine's own settings that its archive needs."""
    command = ("apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', *INHERITED)
    answer = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return ('Acquire::Languages "none"', *(line.rstrip(";") for line in answer.splitlines()))
