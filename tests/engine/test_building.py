"""Commands as values, without an engine: builds, the base image, and what a failed build says."""

from __future__ import annotations

import io
import tarfile

import pytest

from stackctl.domain.image import ImageBuild, Recipe
from stackctl.engine.base import mmdebstrap
from stackctl.engine.build import archive, command, environment, failed

IMAGE = ImageBuild("whoami", "stackctl/whoami:0123456789ab", (Recipe("base", {"Dockerfile": "FROM base\n"}),))


def test_build_command() -> None:
    """Tag and labels, and of the proxies those that are set, by name alone."""
    assert command(IMAGE, {"https_proxy": "p", "PATH": "/bin"})[1:] == (
        "build",
        "--tag=stackctl/whoami:0123456789ab",
        "--label=stackctl.component=whoami",
        "--label=stackctl.digest=0123456789ab",
        "--build-arg=https_proxy",
        "-",
    )


def test_build_uses_the_engines_own_builder() -> None:
    """A builder that the user chose elsewhere would keep the image to itself."""
    assert environment({"BUILDX_BUILDER": "remote", "A": "b"}) == {
        "A": "b",
        "BUILDX_BUILDER": "default",
        "BUILDKIT_PROGRESS": "plain",
    }


def test_archive_is_reproducible() -> None:
    """Equal files give equal bytes in whatever order they are named."""
    assert archive({"a/b": "ü", "Dockerfile": "FROM x\n"}) == archive({"Dockerfile": "FROM x\n", "a/b": "ü"})
    with tarfile.open(fileobj=io.BytesIO(archive({"a/b": "ü"}))) as tar:
        member = tar.extractfile("a/b")
        assert member and member.read().decode() == "ü"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("Err:1 Temporary failure resolving 'archive'", "no Debian archive"),
        ("no space left on device", "docker system df"),
    ],
)
def test_failed_build_shows_the_end_of_its_log(line: str, hint: str) -> None:
    """The last lines, not the first, and the hint that fits them."""
    error = failed(IMAGE, [f"line {number}" for number in range(50)] + [line, ""])
    assert error.id == "image-build-failed" and error.where == IMAGE.tag
    assert line in error.message and "line 49" in error.message and "line 30" not in error.message
    assert hint in error.hint


def test_base_command() -> None:
    """The base is made slim, from given sources, with the machine's own settings for its archive."""
    sources = ("deb mirror trixie main", "deb mirror trixie-updates main")
    assert mmdebstrap(sources, ('Acquire::Languages "none"',)) == (
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=force-unsafe-io",
        '--aptopt=Acquire::Languages "none"',
        "trixie",
        "-",
        *sources,
    )
