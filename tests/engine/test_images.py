"""Images on a real engine: built once, found afterwards, and clear words where that fails."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.domain.image import BASE, ImageBuild, Recipe
from stackctl.engine.commands import docker_cli
from stackctl.engine.images import ensure, pull
from stackctl.errors import StackctlError, Unreachable
from stackctl.rendering.images import COMPONENTS, image_build

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]


class Told(list[tuple[str, str]]):
    """What was reported, as (subject, message)."""

    def __call__(self, subject: str, message: str) -> None:
        self.append((subject, message))


def docker(*arguments: str) -> str:
    return subprocess.run((docker_cli(), *arguments), check=True, capture_output=True, text=True).stdout.strip()


def run(tag: str, *command: str) -> str:
    """What a command in a fresh container of an image writes."""
    return docker("run", "--rm", "--network=none", f"--entrypoint={command[0]}", tag, *command[1:])


@pytest.fixture(scope="module")
def tags() -> dict[str, str]:
    """Every component's image, made sure of."""
    builds = [image_build(name, templates=ROOT / "templates", package=ROOT / "stackctl") for name in COMPONENTS]
    ensure(builds, "auto", Told())
    return {build.component: build.tag for build in builds}


@pytest.fixture
def small() -> Iterator[ImageBuild]:
    """An image that nobody has built yet, gone again after the test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    image = ImageBuild(
        name, f"stackctl/{name}:0123456789ab", (Recipe(BASE, {"Dockerfile": f"FROM {BASE}\nENV A=b\n"}),)
    )
    yield image
    subprocess.run((docker_cli(), "image", "rm", "--force", image.tag), check=False, capture_output=True)


def broken(image: ImageBuild, dockerfile: str, base: str = BASE) -> ImageBuild:
    """The same image by another recipe."""
    return ImageBuild(image.component, image.tag, (Recipe(base, {"Dockerfile": dockerfile}),))


def test_built_once(tags: dict[str, str], small: ImageBuild) -> None:
    """The first time builds, labels and says so; the second time finds it and says nothing."""
    first, second = Told(), Told()
    ensure([small], "auto", first)
    ensure([small], "auto", second)
    assert first[0] == (small.component, f"building from {BASE}") and first[-1][1].startswith("built in ")
    assert second == []
    labels = docker("image", "inspect", "--format={{json .Config.Labels}}", small.tag)
    assert f'"stackctl.component":"{small.component}"' in labels and '"stackctl.digest":"0123456789ab"' in labels


def test_finding_everything_is_quick(tags: dict[str, str]) -> None:
    """With every image there, one short question is all."""
    builds = [image_build(name, templates=ROOT / "templates", package=ROOT / "stackctl") for name in COMPONENTS]
    durations = []
    for _ in range(5):
        begun = time.monotonic()
        ensure(builds, "auto", Told())
        durations.append(time.monotonic() - begun)
    assert sorted(durations)[2] < 0.2


def test_failed_build_is_shown(tags: dict[str, str], small: ImageBuild) -> None:
    """The end of the log and the tag; a second image beside it does not hide the error."""
    with pytest.raises(StackctlError, match="the flaw is here") as caught:
        ensure([broken(small, f"FROM {BASE}\nRUN echo the flaw is here && false\n")], "auto", Told())
    assert caught.value.id == "image-build-failed" and caught.value.where == small.tag


def test_missing_base_is_said(small: ImageBuild) -> None:
    """A base that no registry has and nobody here can make."""
    with pytest.raises(StackctlError) as caught:
        ensure([broken(small, "FROM x\n", base="stackctl/none:1")], "debian", Told())
    assert caught.value.id == "image-base-missing" and "docker load" in caught.value.hint


def test_one_failed_pull_decides_for_the_run(small: ImageBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off line the registry is asked once, not for every image."""
    asked: list[str] = []
    monkeypatch.setattr("stackctl.engine.images.pull", asked.append)
    recipes = tuple(Recipe(f"stackctl/none:{number}", {}) for number in range(3))
    with pytest.raises(StackctlError):
        ensure([ImageBuild(small.component, small.tag, recipes)], "auto", Told())
    assert asked == ["stackctl/none:0"]


def test_registry_that_says_nothing_is_given_up() -> None:
    """A registry that accepts the connection and stays silent costs its patience, no more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begun = time.monotonic()
        assert not pull(f"127.0.0.1:{listener.getsockname()[1]}/silent:1", patience=0.5)
        assert time.monotonic() - begun < 3


def test_no_engine(small: ImageBuild, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an engine: exit 4 and where it was looked for."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(Unreachable) as caught:
        ensure([small], "auto", Told())
    assert caught.value.where.startswith("DOCKER_HOST=")


def test_consul(tags: dict[str, str]) -> None:
    """Consul runs as the owner of its volume."""
    assert run(tags["consul"], "consul", "version").startswith("Consul v1.")
    assert run(tags["consul"], "sh", "-c", "touch /consul/data/x && id -un") == "consul"


def test_registrator(tags: dict[str, str]) -> None:
    """Every module that is shipped can be imported, and is compiled already."""
    code = "import stackctl.agents.registrator as r, stackctl.agents.probe; print(r.__cached__)"
    assert "__pycache__" in run(tags["registrator"], "python3", "-c", code)
    assert run(tags["registrator"], "sh", "-c", "find /opt/stackctl -name '*.pyc' | grep -c agents") != "0"


def test_balancer(tags: dict[str, str]) -> None:
    """nginx is new enough not to lose requests at a reload, can do streams, and works without root."""
    config = (
        "load_module modules/ngx_stream_module.so; pid /run/stackctl/x.pid; events {} stream {}"
        " http { keepalive_min_timeout 5s; access_log /dev/stdout; server { listen 80; } }"
    )
    script = f"id -u; echo '{config}' >x.conf; nginx -t -q -p /usr/lib/nginx -c $PWD/x.conf && python3 -c '{AGENT}'"
    assert run(tags["balancer"], "sh", "-c", script).split() == ["10001", "imported"]


AGENT = 'import stackctl.agents.balancer; print("imported")'


def test_whoami_accepts_within_milliseconds(tags: dict[str, str]) -> None:
    """From the container's start to the first connection; generous, because a busy machine is slow."""
    container = docker("run", "--detach", "--rm", "--cap-drop=ALL", tags["whoami"])
    try:
        begun = time.monotonic()
        address = docker("inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
        while True:
            with contextlib.suppress(OSError), socket.create_connection((address, 80), timeout=1) as connection:
                connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                assert connection.recv(1024).startswith(b"HTTP/1.1 200")
                break
            assert time.monotonic() - begun < 2
            time.sleep(0.005)
    finally:
        docker("kill", container)
