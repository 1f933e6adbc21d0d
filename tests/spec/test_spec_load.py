"""A spec becomes the Stack that it says."""

from __future__ import annotations

import os

import pytest

from stackctl.domain.stack import (
    Balancer,
    Check,
    ConsulRegistry,
    ImageSource,
    RedisRegistry,
    Route,
    Service,
    Stack,
    StaticRegistry,
)
from stackctl.errors import SpecError
from stackctl.spec.load import load

MINIMAL = "name: shop\nservices:\n  web: {image: whoami, port: 80}\n"

FULL = """\
name: shop
x-note: {anything: [goes, here]}
engine: compose
registry:
  consul: {servers: 5, ui: 8500}
balancer:
  replicas: 2
  http: 9080
  domain: example.test
  stub_status: true
  connect_timeout: 1.5s
  x-note: too
services:
  web:
    x-note: too
    image: example.test:5000/team/web:1.2
    port: 8080
    replicas: 0
    route: host
    register: api
    address: container
    check: {http: "/health?full=1", interval: 500ms, timeout: 2, deregister_after: 1h30m}
    weight: 256
    stop_grace: 1m30s
    compose:
      environment: [A=b, C]
      labels: {SERVICE_NAME: web, empty: null, price: 5$$}
"""


def service(route: str) -> str:
    return f"name: shop\nservices:\n  web: {{image: whoami, port: 80, route: '{route}'}}\n"


def test_what_a_spec_leaves_out_has_the_defaults_of_the_domain(load_text):
    """The schema and the domain agree on every default."""
    web = Service("web", ImageSource("bundled", "whoami"), 80)

    assert load_text(MINIMAL).stack == Stack("shop", (web,))


def test_every_key_arrives_in_the_stack(load_text):
    """Durations are seconds, `host` has the service's name, and compose keys come through as they were."""
    web = Service(
        name="web",
        image=ImageSource("reference", "example.test:5000/team/web:1.2"),
        port=8080,
        replicas=0,
        route=Route("host", host="web.example.test"),
        register="api",
        check=Check("http", "/health?full=1", interval=0.5, timeout=2.0, deregister_after=5400.0),
        weight=256,
        stop_grace=90.0,
        compose={
            "environment": ["A=b", "C"],
            "labels": {"SERVICE_NAME": "web", "empty": None, "price": "5$"},
        },
    )

    assert load_text(FULL).stack == Stack(
        "shop",
        (web,),
        registry=ConsulRegistry(servers=5, ui=8500),
        balancer=Balancer(2, 9080, "example.test", stub_status=True, connect_timeout=1.5),
    )


@pytest.mark.parametrize(
    ("written", "route"),
    [
        ("/", Route("path", path="/")),
        ("/api", Route("path", path="/api")),
        ("/api/v1/", Route("path", path="/api/v1")),
        ("/.well-known/a.", Route("path", path="/.well-known/a.")),
        ("host", Route("host", host="web.localhost")),
        ("host:api.example.test", Route("host", host="api.example.test")),
    ],
)
def test_routes_are_paths_and_hosts(load_text, written, route):
    """A path loses its last slash, so that /api and /api/ are one route."""
    assert load_text(service(written)).stack.services[0].route == route


def test_services_keep_the_order_of_the_file(load_text):
    """What is rendered from a stack follows the file, not the alphabet."""
    text = "name: shop\nservices:\n" + "".join(f"  {name}: {{image: whoami, port: 80}}\n" for name in "cab")

    assert [found.name for found in load_text(text).stack.services] == ["c", "a", "b"]


def test_folder_with_a_dockerfile_is_built(load_text, tmp_path):
    """`build` is a folder beside the spec, absolute, because the Compose file lies elsewhere."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").touch()

    stack = load_text("name: shop\nservices:\n  web: {build: ./app, port: 80}\n").stack

    assert stack.services[0].image == ImageSource("build", str(tmp_path / "app"))


def test_origin_and_folder_are_as_the_path_was_given(tmp_path):
    """Messages name files as the person did."""
    (tmp_path / "stack.yaml").write_text(MINIMAL)

    stack = load(tmp_path / "stack.yaml", {}).stack

    assert (stack.origin, stack.folder) == (str(tmp_path / "stack.yaml"), str(tmp_path))


def test_anchors_and_merge_keys_are_followed(load_text):
    """A service may be another one's copy with a difference; its own keys beat the merged ones."""
    text = """\
name: shop
x-web: &web {image: whoami, port: 80, replicas: 2}
x-check: &check {check: {http: /}}
services:
  a: *web
  b: {<<: *web, replicas: 3}
  c: {<<: [{replicas: 4}, *web, *check]}
"""
    a, b, c = load_text(text).stack.services

    assert (a.replicas, b.replicas, c.replicas) == (2, 3, 4)
    assert (a.check.kind, c.check.kind, c.port) == ("tcp", "http", 80)


def test_compose_values_keep_their_types(load_text):
    """Whatever Compose makes of a value, it gets what a YAML reader of Compose would see."""
    text = MINIMAL.replace("port: 80", "port: 80, compose: {a: 0440, b: yes, c: 1.5, d: 2024-01-01, e: '80', f: ~}")

    assert load_text(text).stack.services[0].compose == {
        "a": 0o440,
        "b": "yes",
        "c": 1.5,
        "d": "2024-01-01",
        "e": "80",
        "f": None,
    }


@pytest.mark.parametrize(
    ("key", "written", "anchored"),
    [
        ("env_file", "a", "HERE/a"),
        ("env_file", "[a, {path: ../b, required: false}]", ["HERE/a", {"path": "UP/b", "required": False}]),
        ("env_file", "~/a", "~/a"),
        ("env_file", "[{required: false}]", [{"required": False}]),
        ("volumes", "[./a:/b:ro, data:/c, ~/d:/d, /e]", ["HERE/a:/b:ro", "data:/c", "~/d:/d", "/e"]),
        ("volumes", "[{type: bind, source: a, target: /b}]", [{"type": "bind", "source": "HERE/a", "target": "/b"}]),
        ("volumes", "[{type: bind, source: ~/a}]", [{"type": "bind", "source": "~/a"}]),
        ("volumes", "[{type: volume, source: a}]", [{"type": "volume", "source": "a"}]),
        ("volumes", "", []),
    ],
)
def test_paths_start_at_the_specs_folder(load_text, tmp_path, key, written, anchored):
    """In the short form and in the long one, because the Compose file lies elsewhere; a volume's name is no path."""
    web = f"{{image: whoami, port: 80, compose: {{{key}: {written}}}}}"
    (web,) = load_text(f"name: shop\nservices: {{web: {web}}}\n").stack.services
    said = str(web.compose[key]).replace(str(tmp_path), "HERE").replace(str(tmp_path.parent), "UP")

    assert said == str(anchored)


def test_numbers_may_be_quoted(load_text):
    """What comes from a variable is text, and means what it says."""
    text = 'name: "1"\nservices:\n  web: {image: whoami, port: "80", check: {interval: "2"}}\n'

    stack = load_text(text).stack

    assert (stack.name, stack.services[0].port, stack.services[0].check.interval) == ("1", 80, 2.0)


@pytest.mark.parametrize(
    ("kind", "registry"), [("consul", ConsulRegistry()), ("redis", RedisRegistry()), ("static", StaticRegistry())]
)
def test_registry_with_nothing_after_it_has_its_defaults(load_text, kind, registry):
    """It says which registry, no more."""
    assert load_text(f"{MINIMAL}registry:\n  {kind}:\n").stack.registry == registry


@pytest.mark.parametrize("said", ["{}", "{replicas: 1, sentinels: 3, ttl: 12s, prefix: /work}"])
def test_redis_needs_no_password(load_text, said):
    """Redis has a default for everything, and its password's is none."""
    assert load_text(f"{MINIMAL}registry:\n  redis: {said}\n").stack.registry == RedisRegistry(1, 3, 12.0, "/work", "")


@pytest.mark.parametrize("written", ["12345", "1.50", "true", "[k3y]", "s p a c e"])
def test_no_message_shows_a_password(problems, written):
    """It is a secret before it is valid, too."""
    (said,) = problems(f"{MINIMAL}registry:\n  redis: {{password: {written}}}\n")
    assert "password" in said
    assert written.strip("[]") not in said


def test_byte_order_mark_is_no_error(load_text):
    """Some editors write one."""
    assert load_text(b"\xef\xbb\xbf" + MINIMAL.encode()).stack.name == "shop"


def test_windows_line_ends_are_no_error(load_text):
    """Others write these."""
    assert load_text(MINIMAL.replace("\n", "\r\n").encode()).stack.name == "shop"


def test_byte_that_is_not_utf_8_is_shown_with_its_place(problems):
    """Line and column count characters, as editors do."""
    assert problems("name: shop # ü\n# caf".encode() + b"\xe9 \n") == [
        "stack.yaml:2:6: the byte 0xe9 is not UTF-8 (save the file as UTF-8)"
    ]
    assert problems(b"\xff\xfen\0") == ["stack.yaml:1:1: the byte 0xff is not UTF-8 (save the file as UTF-8)"]


def test_control_character_is_shown_with_its_place(problems):
    """It is named, not printed: it might move the cursor."""
    assert problems("name: shop\nx: \x1b[31m\n") == [
        "stack.yaml:2:4: the character U+001B is not allowed in YAML (delete it)"
    ]


def test_control_character_that_yaml_escapes_is_escaped_in_messages_too(problems):
    """No value from a file reaches the terminal raw."""
    assert "\x1b" not in "".join(problems('name: "\\e[31m"\nservices: {"\\e": {}}\n'))


def test_huge_file_is_refused_unread(problems):
    """YAML would take minutes."""
    assert problems(b"#" * 300_000) == ["stack.yaml:1:1: the file is larger than 256 KiB (name the right one with -f)"]


def test_values_nested_without_end_are_refused(problems):
    """However they are written."""
    chain = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))

    assert problems("[" * 5000) == ["stack.yaml:1:1: values are nested too deeply (close what is open)"]
    assert problems(f"a0: &a0 []\n{chain}")[0].endswith(
        "values are nested deeper than 50 levels (write out what is meant, with fewer aliases and less depth)"
    )


def test_huge_numbers_are_no_trouble(problems):
    """Python refuses to print them; the message does not try."""
    assert "stack.yaml:1:7: name: a text is wanted, got a huge number" in problems(f"name: 0x{'f' * 9000}")[-1]
    assert "'999" in problems(f"name: a\nservices: {{a: {{image: b, port: {'9' * 9000}}}}}")[0]


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "below a file", "too long", "null"])
def test_spec_that_is_not_there(tmp_path, kind):
    """Its id differs from that of a spec that is wrong; the exit code is the same."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    path = {
        "absent": tmp_path / "stack.yaml",
        "folder": tmp_path,
        "pipe": tmp_path / "pipe",
        "below a file": tmp_path / "file" / "stack.yaml",
        "too long": tmp_path / ("a" * 300),
        "null": tmp_path / "a\0b",
    }[kind]

    with pytest.raises(SpecError) as caught:
        load(path, {})

    assert (caught.value.id, caught.value.exit_code) == ("spec-not-found", 2)
    assert "stackctl list" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", '"shop\\n"'),
        ("name", "-shop"),
        ("name", "shop_1"),
        ("name", "sh.op"),
        ("name", "٣"),
        ("image", '"whoami\\n"'),
        ("image", "a//b"),
        ("image", "a@sha256:12"),
        ("port", "٨٠"),
        ("port", '" 80"'),
        ("port", '"80\\n"'),
        ("port", "8_0.0"),
        ("replicas", "-1"),
        ("replicas", ".inf"),
        ("route", '"/a\\n"'),
        ("route", "//a"),
        ("route", "/a%2e"),
        ("route", "/a..b"),
        ("route", "/."),
        ("route", "/./a"),
        ("route", "/a/./"),
        ("route", "tcp:"),
        ("route", "tcp:0"),
        ("route", "host:"),
        ("route", "host:a..b"),
        ("route", "host:a:80"),
        ("stop_grace", "1"),
        ("stop_grace", "1 m"),
        ("stop_grace", "m"),
        ("stop_grace", '"1s\\n"'),
        ("stop_grace", "٣s"),
        ("stop_grace", ".nan"),
        ("weight", "yes"),
    ],
)
def test_value_that_almost_fits_is_refused(problems, key, value):
    """Nothing that is not exactly of its form gets near a config."""
    good = {"name": "shop", "image": "whoami", "port": "80"}
    if (key, value) == ("stop_grace", "1"):
        value = "1d"
    web = ", ".join(f"{k}: {v}" for k, v in {**good, key: value}.items() if k != "name")
    name = value if key == "name" else "shop"

    (only,) = problems(f"name: {name}\nservices:\n  web: {{{web}}}\n")

    assert key in only


def test_unset_variable_is_named_when_its_empty_text_does_harm(load_text):
    """The cause stands beside the effect."""
    with pytest.raises(SpecError, match="a whole number is wanted, got ''") as caught:
        load_text(MINIMAL.replace("80", '"${PORT}"'))

    assert "`PORT` is not set" in caught.value.hint
