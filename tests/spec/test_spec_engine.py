"""What is different on one engine stands in a file beside the spec, and is read with it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.domain.host import Host
from stackctl.domain.stack import EngineKind
from stackctl.errors import SpecError
from stackctl.spec.bundled import bundled
from stackctl.spec.load import load
from stackctl.spec.meaning import meaning

SPEC = """\
name: shop
registry: {consul: {servers: 1}}
balancer: {http: 8080, domain: example.test}
services:
  web: {image: whoami, port: 80, compose: {ports: ["80"], environment: {A: b}}}
"""
HOSTS = """\
hosts: {one: {context: a}, two: {context: b}}
balancer: {replicas: 2}
services:
  web: {compose: {ports: ["8081:80", "8082:80"]}}
  other: {image: whoami, port: 81}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec and what is different on the engine `hosts`."""
    monkeypatch.chdir(tmp_path)
    Path("stack.yaml").write_text(SPEC)
    Path("stack.hosts.yaml").write_text(HOSTS)
    return Path("stack.yaml")


def refused(spec: Path, engine: EngineKind) -> list[str]:
    """What is wrong, a line each."""
    with pytest.raises(SpecError) as caught:
        load(spec, {}, engine)
    return [str(problem) for problem in caught.value.problems]


def test_mappings_are_merged_and_the_rest_is_replaced(spec: Path) -> None:
    """Keys of both files are there, lists are the second one's, and on another engine nothing of it is."""
    stack = load(spec, {}, "hosts").stack
    assert stack.hosts == (Host("one", "a"), Host("two", "b"))
    assert (stack.balancer.replicas, stack.balancer.http, stack.balancer.domain) == (2, 8080, "example.test")
    assert [service.name for service in stack.services] == ["web", "other"]
    assert stack.services[0].compose == {"ports": ["8081:80", "8082:80"], "environment": {"A": "b"}}
    alone = load(spec, {}).stack
    assert (alone.engine, alone.hosts, alone.balancer.replicas, len(alone.services)) == ("compose", (), 1, 1)


def test_the_specs_own_engine_has_its_file_too(spec: Path) -> None:
    """Without being asked for it."""
    spec.write_text(f"engine: hosts\n{SPEC}")
    assert load(spec, {}).stack.balancer.replicas == 2
    assert load(spec, {}, "compose").stack.balancer.replicas == 1


def test_a_problem_has_the_place_where_it_was_written(spec: Path) -> None:
    """In either file, also where one says something about what the other one has."""
    spec.write_text(SPEC.replace("image: whoami, ", "").replace("http: 8080", "http: x"))
    Path("stack.hosts.yaml").write_text("hosts: {one: {contxt: a}}\nbalancer: {doman: x}\n")
    assert refused(spec, "hosts") == [
        "stack.yaml:3:18: balancer.http: a whole number is wanted, got 'x' (The published port of the entry)",
        f"stack.yaml:5:3: services.web.image: `image` or `build` is required ({meaning(('services', 'web', 'image'))})",
        "stack.hosts.yaml:1:9: hosts.one: `context` or `url` is required (how its engine is reached)",
        "stack.hosts.yaml:1:15: hosts.one.contxt: unknown key 'contxt' (did you mean `context`?)",
        "stack.hosts.yaml:2:12: balancer.doman: unknown key 'doman' (did you mean `domain`?)",
    ]


def test_what_is_replaced_can_not_be_wrong(spec: Path) -> None:
    """A variable that is required where one engine runs need not be set for another one."""
    spec.write_text(SPEC.replace("servers: 1", "servers: '${SERVERS:?say how many}'"))
    assert "required: say how many" in refused(spec, "compose")[0]
    Path("stack.hosts.yaml").write_text(f"{HOSTS}registry: {{consul: {{servers: 1}}}}\n")
    assert load(spec, {}, "hosts").stack.registry.servers == 1


def test_its_own_flaws_are_found(spec: Path) -> None:
    """Keys that stand there twice, variables without a value, and what is no YAML."""
    Path("stack.hosts.yaml").write_text(f"{HOSTS}balancer: {{replicas: 1}}\n")
    assert refused(spec, "hosts")[0].startswith("stack.hosts.yaml:6:1: balancer: 'balancer' is here twice")
    Path("stack.hosts.yaml").write_text("hosts: {one: {context: '${A:?which}'}}\n")
    assert refused(spec, "hosts")[0].startswith(
        "stack.hosts.yaml:1:24: hosts.one.context: the variable `A` is required"
    )
    Path("stack.hosts.yaml").write_text("hosts: [\n")
    assert refused(spec, "hosts")[0].startswith("stack.hosts.yaml:2:1: not YAML")


def test_keys_in_lists_are_known_there_too(spec: Path) -> None:
    """What is unknown inside a list of either file is answered with the keys of its items; `x-` keys are none."""
    Path("a.j2").touch()
    Path("stack.hosts.yaml").write_text(HOSTS.replace("replicas: 2", "files: [{src: a.j2, dst: a, x-a: b}]"))
    assert refused(spec, "hosts") == [
        "stack.hosts.yaml:2:32: balancer.files[0].dst: unknown key 'dst' (did you mean `dest`?)",
        "stack.hosts.yaml:2:40: balancer.files[0].x-a: unknown key 'x-a' (known here: check, dest, keys, reload, src)",
    ]


@pytest.mark.parametrize("engine", ["docker/compose", "../compose", "", "a" * 300, "a\0b"])
def test_engine_that_is_none_names_no_file(spec: Path, engine: str) -> None:
    """Whatever it is called, it is refused as an engine."""
    text = engine.replace("\0", "\\0")
    spec.write_text(f'engine: "{text}"\n{SPEC}')
    assert refused(spec, "")[0].startswith("stack.yaml:1:9: engine: compose, swarm or hosts is wanted, got ")


def test_in_a_swarm_nobody_calls(spec: Path) -> None:
    """What is registered by a call elsewhere is registered by the registrators there, and that is said."""
    spec.write_text("name: shop\nservices:\n  web: {image: whoami, port: 80, register: api}\n")
    loaded = load(spec, {}, "swarm")
    assert [service.register for service in loaded.stack.services] == ["registrator"]
    (said,) = loaded.unsaid
    assert said.startswith("services.web.register: the registrator of each node does it in a Swarm")
    assert load(spec, {}).stack.services[0].register == "api" and not load(spec, {}).unsaid


@pytest.mark.parametrize("path", sorted(bundled("stacks").glob("*/stack.*.yaml")), ids=lambda path: path.parent.name)
def test_bundled_ones_are_whole(path: Path) -> None:
    """Each is read with its spec without a word."""
    engine = path.name.split(".")[1]
    loaded = load(path.with_name("stack.yaml"), {}, engine)
    assert (loaded.stack.engine, loaded.warnings) == (engine, ())


def test_a_file_that_is_not_there_is_shown_where_it_is_named(spec: Path) -> None:
    """In either file."""
    Path("stack.hosts.yaml").write_text(HOSTS.replace("replicas: 2", "template: ../absent.j2"))
    (problem,) = refused(spec, "hosts")
    assert problem.startswith("stack.hosts.yaml:2:22: balancer.template: ../absent.j2: there is no such file (")
