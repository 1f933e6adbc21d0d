"""Rolling replacements under load: nothing is lost, what does not serve is rolled back, canaries get their share."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from bench.asking import ask
from stackctl.app.workspace import KEPT
from tests.e2e.loading import loaded
from tests.e2e.scenario import Scenario, eventually

pytestmark = pytest.mark.engine

NEVER_HEALTHY = 'healthcheck: {test: ["CMD", "false"], interval: 1s, timeout: 1s, retries: 2}'
CRASHES = 'entrypoint: ["sh", "-c", "echo no such table: orders; exit 3"]'
ANSWERS_500 = 'environment: {FAULT_STATUS: "500"}'


@pytest.fixture(autouse=True)
def as_the_spec_says(running: Scenario) -> Iterator[str]:
    """Each test starts from the spec, converged, and leaves the spec as it was; it is given the spec's text."""
    text = running.spec.read_text()
    running.stackctl("up")
    yield text
    running.spec.write_text(text)


def change(running: Scenario, compose: str) -> None:
    running.spec.write_text(running.spec.read_text() + f"    compose: {{{compose}}}\n")


def digests(running: Scenario) -> set[str]:
    return {running.client.containers.get(id).labels["stackctl.digest"] for id in running.instances("web")}


def test_changed_environment(running: Scenario) -> None:
    """All three instances are replaced under load, no request is lost, and the proof holds afterwards."""
    change(running, "environment: {COLOUR: blue}")
    before = running.instances("web")
    planned = running.stackctl("deploy", "web", "--dry-run").stdout.splitlines()
    assert [line.split()[0] for line in planned] == ["create", "drain"] * 3
    documents = []
    report = loaded(running, lambda: documents.append(running.stackctl("deploy", "web", "--format", "json").json))
    assert report.sent > 500
    assert (report.lost, dict(report.reasons)) == (0, {})
    (document,) = documents
    assert (document["schema"], document["converged"]) == ("stackctl/deploy/v1", True)
    assert [o["verb"] for o in document["operations"]] == ["create", "drain"] * 3
    after = running.instances("web")
    assert len(after) == 3 and not set(after) & set(before)
    assert all("COLOUR=blue" in running.client.containers.get(id).attrs["Config"]["Env"] for id in after)
    assert running.verify()["converged"]
    assert running.stackctl("plan").stdout == "nothing to do\n"


def test_forced_in_parallel(running: Scenario) -> None:
    """The same definition again, two at a time: three other instances, nothing lost, nothing left to do."""
    before = running.instances("web")
    assert running.stackctl("deploy", "web", "--dry-run").stdout == "nothing to do\n"
    report = loaded(running, lambda: running.stackctl("deploy", "web", "--force", "--parallel", "2"))
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert len(running.instances("web")) == 3 and not set(running.instances("web")) & set(before)
    assert running.stackctl("plan").stdout == "nothing to do\n"


@pytest.mark.parametrize(
    ("compose", "layer", "words"),
    [
        (CRASHES, "engine", "restart"),
        (NEVER_HEALTHY, "engine", "unhealthy"),
        (ANSWERS_500, "traffic", "status 500"),
    ],
    ids=["crashes", "never healthy", "answers 500"],
)
def test_rolled_back(running: Scenario, compose: str, layer: str, words: str) -> None:
    """A definition that does not serve leaves the old instances as they were; the reason is told, and exit is 5."""
    before, definition = running.instances("web"), digests(running)
    text = running.spec.read_text()
    change(running, compose)
    results = []
    report = loaded(running, lambda: results.append(running.stackctl("deploy", "web", code=5)))
    (result,) = results
    assert "error[rolled-back]" in result.stderr
    assert f"at {layer}: " in result.stderr and words in result.stderr
    assert result.seconds < 40
    if compose == CRASHES:
        assert "\n    no such table: orders" in result.stderr
    if compose == ANSWERS_500:  # it was in service until it was judged
        assert report.lost < report.sent / 10, dict(report.reasons)
        assert all("status 500" in reason or "502" in reason for reason in report.reasons)
    else:
        assert (report.lost, dict(report.reasons)) == (0, {})
    assert running.instances("web") == before
    assert digests(running) == definition
    assert running.verify()["converged"]
    running.spec.write_text(text)
    assert running.stackctl("plan").stdout == "nothing to do\n"


def test_last_one_fails(running: Scenario) -> None:
    """When only the third new instance fails, the two that were replaced before are made again as they were."""
    definition = digests(running)
    # The first two find their place in the volume; what comes third ends.
    script = "n=$$(ls /seen | wc -l); touch /seen/$$(hostname); test $$n -lt 2 && exec START; "
    script += "echo the third one ends; exit 4"
    config = running.container("web", number(running)).attrs["Config"]
    script = script.replace("START", " ".join([*(config["Entrypoint"] or ()), *(config["Cmd"] or ())]))
    volume = running.client.volumes.create(f"{running.name}-seen", labels={"stackctl.stack": running.name})
    text = running.spec.read_text()
    folder = volume.attrs["Mountpoint"]
    change(running, f'entrypoint: ["sh", "-c", {json.dumps(script)}], user: root, volumes: [\'{folder}:/seen\']')
    results = []
    report = loaded(running, lambda: results.append(running.stackctl("deploy", "web", code=5)))
    assert "at engine: " in results[0].stderr and "\n    the third one ends" in results[0].stderr
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert len(running.instances("web")) == 3
    assert digests(running) == definition
    running.spec.write_text(text)
    assert running.verify()["converged"]


def test_image(running: Scenario) -> None:
    """Another image holds through `verify` and `scale`, until `up` goes back to the spec."""
    other = f"{running.name}:2"
    image = running.client.images.get(running.container("web", number(running)).image.id)
    own = image.tags[0]
    dockerfile = io.BytesIO(f"FROM {own}\nENV RELEASE=2\n".encode())
    built, _ = running.client.images.build(fileobj=dockerfile, tag=other, rm=True)  # else a container is left behind
    try:
        failed = running.stackctl("deploy", "web", "--image", f"{running.name}:none", code=5)
        assert f"with the image {running.name}:none: " in failed.stderr
        report = loaded(running, lambda: running.stackctl("deploy", "web", "--image", other))
        assert (report.lost, dict(report.reasons)) == (0, {})
        assert images(running) == [other] * 3
        assert running.verify()["converged"]
        running.stackctl("scale", "web=4")
        assert images(running) == [other] * 4
        running.stackctl("deploy", "web", "--force")
        assert images(running) == [other] * 4
        pending = running.stackctl("plan", "--exit-code", code=6).stdout
        assert pending.count("create ") == 3 and pending.count("drain ") == 4
        running.stackctl("up")
        assert images(running) == [own] * 3
    finally:
        running.stackctl("up", code=None)
        running.client.images.remove(built.id, force=True)


def images(running: Scenario) -> list[str]:
    return [running.client.containers.get(id).attrs["Config"]["Image"] for id in running.instances("web")]


def number(running: Scenario) -> int:
    return int(running.instances("web")[0].rpartition("-")[2])


@pytest.mark.parametrize("follower", ["up", "deploy"])
def test_killed_in_the_middle(running: Scenario, follower: str) -> None:
    """What a deploy that was killed had begun is finished by the next command, under load, and nothing is lost."""
    change(running, f"environment: {{RUN: {follower}}}")

    def killed_and_finished() -> None:
        process = running.start("deploy", "web")
        eventually(lambda: len(running.instances("web")) == 4, "the surge instance")
        eventually(lambda: len(running.instances("web")) == 3, "the first old one to be gone", timeout=60)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert (running.folder / ".stackctl" / running.name / KEPT).exists()
        running.stackctl(*(["deploy", "web"] if follower == "deploy" else ["up"]))

    report = loaded(running, killed_and_finished)
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert len(running.instances("web")) == 3 and len(digests(running)) == 1
    assert not (running.folder / ".stackctl" / running.name / KEPT).exists()
    assert running.verify()["converged"]
    assert running.stackctl("plan").stdout == "nothing to do\n"


def test_interrupted(running: Scenario) -> None:
    """Ctrl-C ends with 130 and leaves no instance drained; the next deploy finishes."""
    change(running, "environment: {RUN: interrupted}")
    process = running.start("deploy", "web")
    eventually(lambda: len(running.instances("web")) == 4, "the surge instance")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    checks = [check for node in running.consul("GET", "/v1/health/service/web") for check in node["Checks"]]
    assert not [check for check in checks if check["CheckID"].startswith("_service_maintenance")]
    running.stackctl("deploy", "web")
    assert running.verify()["converged"]
    assert len(digests(running)) == 1


def shares(running: Scenario, requests: int) -> Counter[str]:
    """Answers by container, over fresh connections."""

    async def count() -> Counter[str]:
        pages = [await ask(running.port) for _ in range(requests)]
        return Counter(page.rsplit("answered by ", 1)[1].strip() for page in pages)

    return asyncio.run(count())


def test_canary(running: Scenario) -> None:
    """A canary gets its share of the requests and stays through verify and scale; promoted, it is everywhere."""
    before = running.instances("web")
    change(running, "environment: {RELEASE: canary}")
    report = loaded(running, lambda: running.stackctl("deploy", "web", "--canary", "10%"))
    assert (report.lost, dict(report.reasons)) == (0, {})
    (canary,) = set(running.instances("web")) - set(before)
    host = running.client.containers.get(canary).attrs["Config"]["Hostname"]
    answers = shares(running, 1200)
    assert 0.07 < answers[host] / 1200 < 0.13, answers
    (web,) = running.verify()["services"]
    assert set(web["desired"]) == {*before, canary}
    refused = running.stackctl("deploy", "web", code=2)
    assert "error[canary-runs]" in refused.stderr

    report = loaded(running, lambda: running.stackctl("deploy", "web", "--promote"))
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert len(running.instances("web")) == 3 and len(digests(running)) == 1
    assert not {*before, canary} & set(running.instances("web"))
    assert running.verify()["converged"]
    assert running.stackctl("plan").stdout == "nothing to do\n"


def test_canary_aborted(running: Scenario) -> None:
    """An aborted canary leaves the others as they were; one that answers errors never stays."""
    before, text = running.instances("web"), running.spec.read_text()
    change(running, "environment: {RELEASE: canary}")
    running.stackctl("deploy", "web", "--canary", "25%")
    running.spec.write_text(text)
    running.stackctl("scale", "web=4")
    assert len(running.instances("web")) == 5
    running.stackctl("scale", "web=3")
    report = loaded(running, lambda: running.stackctl("deploy", "web", "--abort"))
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert running.instances("web") == before
    assert running.verify()["converged"]
    running.stackctl("deploy", "web", "--abort", code=2)

    change(running, ANSWERS_500)
    began = time.monotonic()
    assert "status 500" in running.stackctl("deploy", "web", "--canary", "5%", code=5).stderr
    assert time.monotonic() - began < 40
    assert running.instances("web") == before
    assert running.verify()["converged"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nosuch",), "no-such-service"),
        (("web", "--canary", "0%"), "1% to 99%"),
        (("web", "--canary", "ten"), "1% to 99%"),
        (("web", "--promote", "--abort"), "exclude each other"),
        (("web", "--promote"), "no-canary"),
        (("web", "--parallel", "0"), "--parallel"),
        (("web", "--image", "not an image"), "image"),
    ],
)
def test_bad_input(running: Scenario, words: tuple[str, ...], said: str) -> None:
    """What can't be meant is refused before anything is done."""
    before = running.containers()
    result = running.stackctl("deploy", *words, code=2)
    assert said in result.stderr
    assert running.containers() == before
