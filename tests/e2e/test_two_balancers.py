"""Two balancers under load: whatever is done to one of them, or to the instances behind both, loses nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import pytest

from bench.asking import ask
from bench.ports import free_port
from tests.e2e.loading import Roamed, hold_streams, loaded, roam, say_lines, while_doing
from tests.e2e.scenario import Scenario, new_scenario

pytestmark = pytest.mark.engine

SPEC = """\
name: {scenario.name}
registry: {{consul: {{servers: 1, ui: {scenario.ui}}}}}
balancer: {{http: {scenario.port}, replicas: 2, tcp: []}}
services:
  web: {{image: whoami, port: 80, replicas: 3, route: /, check: {{http: /healthz}}, stop_grace: 10s, compose: {{}}}}
  own: {{image: webapp, port: 80, replicas: 2, route: /own, register: self, stop_grace: 10s, compose: {{}}}}
  raw: {{image: echo, port: 9999, replicas: 2, route: "tcp:{tcp}", stop_grace: 2s, compose: {{}}}}
"""
CRASHES = 'entrypoint: ["sh", "-c", "echo no such table: orders; exit 3"]'


class Two(Scenario):
    """Both entries, and the tcp port of the first."""

    tcp: int

    @property
    def entries(self) -> tuple[int, ...]:
        """The ports of the two entries."""
        return self.port, self.port + 1

    def change(self, service: str, compose: str) -> None:
        """Another Compose passthrough for a service."""
        lines = self.spec.read_text().splitlines()
        changed = [x.replace("compose: {}", f"compose: {{{compose}}}") if f" {service}:" in x else x for x in lines]
        assert changed != lines
        self.spec.write_text("\n".join(changed) + "\n")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two balancers before a service of each kind, up and proven."""
    scratch = new_scenario(tmp_path_factory.mktemp("two"))
    made = Two(scratch.name, scratch.folder, free_port(2), scratch.ui)
    made.tcp = free_port(2)
    made.spec.write_text(SPEC.format(scenario=made, tcp=made.tcp))
    try:
        made.stackctl("up", timeout=600)
        yield made
    finally:
        made.clean()


@pytest.fixture(autouse=True)
def as_the_spec_says(two: Two) -> Iterator[None]:
    """Each test starts from the spec, converged, and leaves the spec as it was."""
    text = two.spec.read_text()
    two.stackctl("up")
    yield
    two.spec.write_text(text)


def roamed(two: Two, act: Callable[[], object]) -> Roamed:
    """What became of the requests of clients that know both entries."""
    kinds = [partial(roam, two.entries, rate=75, clients=8, keep=keep) for keep in (True, False)]
    reports: list[Roamed] = while_doing(act, *(lambda done, kind=kind: kind(done) for kind in kinds))
    whole = Roamed()
    for report in reports:
        whole.sent, whole.lost = whole.sent + report.sent, whole.lost + report.lost
        whole.reasons, whole.retried = whole.reasons + report.reasons, whole.retried + report.retried
        whole.latencies += report.latencies
    return whole


def born(two: Two, service: str, number: int) -> datetime:
    """When a container was started, to the microsecond."""
    return datetime.fromisoformat(two.container(service, number).attrs["State"]["StartedAt"][:26])


def test_scaled_down_and_up(two: Two) -> None:
    """Three to one and back, with load on both entries, of clients that never try twice."""

    def down_and_up() -> None:
        two.stackctl("scale", "web=1")
        two.stackctl("scale", "web=3")

    report = loaded(two, down_and_up, ports=2, rate=200)
    assert report.sent > 500
    assert (report.lost, dict(report.reasons)) == (0, {})


@pytest.mark.parametrize("gone", [False, True], ids=["both run", "one is gone"])
def test_made_anew_one_after_the_other(two: Two, gone: bool) -> None:
    """Another published port makes both anew: the second when the first serves, so that one entry is always open."""
    before = {number: two.container("lb", number).id for number in (1, 2)}
    if gone:  # as it would be where `up` was killed between the two
        two.container("lb", 2).remove(force=True)
    two.spec.write_text(two.spec.read_text().replace("tcp: []", f"tcp: [{free_port(2)}]"))
    planned = two.stackctl("plan").stdout.splitlines()
    verbs = [["recreate", two.id("lb", 1)], ["create" if gone else "recreate", two.id("lb", 2)]]
    assert sorted(line.split()[:2] for line in planned) == sorted(verbs)
    report = roamed(two, lambda: two.stackctl("up"))
    assert report.sent > 500 and report.retried
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert all(two.container("lb", number).id != before[number] for number in (1, 2))
    assert born(two, "lb", 2) < born(two, "lb", 1)
    assert two.verify()["converged"]
    assert two.stackctl("plan").stdout == "nothing to do\n"


def test_one_killed(two: Two) -> None:
    """`docker kill` of one: clients that ask the other one lose nothing, the proof names it, `up` brings it back."""

    def kill_and_bring_back() -> None:
        two.container("lb", 2).kill()
        found = two.verify(code=3)["services"][0]["first_divergence"]
        assert (found["layer"], found["reason"]) == ("config", "1 balancers run and the stack wants 2")
        two.stackctl("scale", "web=2", "--timeout", "3s", code=3)
        two.stackctl("up")

    report = roamed(two, kill_and_bring_back)
    assert report.retried
    assert (report.lost, dict(report.reasons)) == (0, {})
    two.stackctl("scale", "web=3")
    assert two.verify()["converged"]


@pytest.mark.parametrize("service", ["web", "own"])
def test_deployed(two: Two, service: str) -> None:
    """Everybody is replaced, whoever registers them, with load on both entries; nothing is lost."""
    before = two.instances(service)
    report = loaded(two, lambda: two.stackctl("deploy", service, "--force"), ports=2)
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert not set(before) & set(two.instances(service))
    assert two.verify()["converged"]
    assert two.stackctl("plan").stdout == "nothing to do\n"


def test_streams_are_told_to_end(two: Two) -> None:
    """A tcp service is replaced: every new connection is answered, and streams that are open end, and never break."""
    before = two.instances("raw")
    ports = (two.tcp, two.tcp + 1)
    loads = [partial(say_lines, port, rate=40) for port in ports]
    loads += [partial(hold_streams, port) for port in ports]
    told: list[str] = []
    reports = while_doing(lambda: told.append(two.stackctl("deploy", "raw", "--force").stderr), *loads)
    assert sum(report.sent for report in reports[:2]) > 100
    assert [dict(report.reasons) for report in reports] == [{}] * 4
    assert sum(report.ended for report in reports[2:]) > 0
    assert "the grace of 2 s is over, cutting: " in told[0]
    assert not set(before) & set(two.instances("raw"))
    assert two.verify()["converged"]


@pytest.mark.parametrize("service", ["web", "own", "raw"])
def test_rolled_back(two: Two, service: str) -> None:
    """A version that ends leaves the old instances of every kind of service as they were, and exit is 5."""
    before = two.instances(service)
    two.change(service, CRASHES)
    results = []
    loads = [partial(say_lines, two.tcp, rate=40)]
    kept = while_doing(lambda: results.append(two.stackctl("deploy", service, code=5)), *loads)
    (result,) = results
    assert "error[rolled-back]" in result.stderr and "\n    no such table: orders" in result.stderr
    assert [dict(report.reasons) for report in kept] == [{}]
    assert two.instances(service) == before
    assert two.verify()["converged"]


def shares(port: int, requests: int) -> Counter[str]:
    """Answers by container, over fresh connections."""

    async def count() -> Counter[str]:
        pages = [await ask(port) for _ in range(requests)]
        return Counter(page.rsplit("answered by ", 1)[1].strip() for page in pages)

    return asyncio.run(count())


def test_canary_behind_both(two: Two) -> None:
    """Each of the two balancers gives the canary its share; promoted under load, nothing is lost."""
    before = two.instances("web")
    two.change("web", "environment: {RELEASE: canary}")
    report = loaded(two, lambda: two.stackctl("deploy", "web", "--canary", "20%"), ports=2)
    assert (report.lost, dict(report.reasons)) == (0, {})
    (canary,) = set(two.instances("web")) - set(before)
    host = two.client.containers.get(canary).attrs["Config"]["Hostname"]
    for entry in two.entries:
        answers = shares(entry, 300)
        assert 0.17 < answers[host] / 300 < 0.23, (entry, answers)
    report = loaded(two, lambda: two.stackctl("deploy", "web", "--promote"), ports=2)
    assert (report.lost, dict(report.reasons)) == (0, {})
    assert two.verify()["converged"]
