"""Whatever the file holds, the answer is a sound Stack or a SpecError."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackctl.domain.instance import DNS_LABEL
from stackctl.domain.stack import Stack
from stackctl.errors import SpecError
from stackctl.spec.load import load

GOOD = (Path(__file__).parent.parent.parent / "stacks" / "simple-web" / "stack.yaml").read_bytes()

# Pieces that mean something to YAML, to the schema, or to what is rendered from a stack; one a line.
PIECES = """\
name: shop
services:
web:
image: whoami
port: 80
replicas: 2
check: {http: /}
compose: {a: 1}
registry: {consul: }
x-a: 1
- ? : , { } [ ] | > ' " # --- ... ~ ; ../ $ $$ ${ ${A:-b} 0x 1e9 .inf null true é 😀
&a *a <<: !x !!int !!binary %YAML
{{ x }}
{% raw %}
"""
ODD = ["\n", " ", "  ", "    ", "\t", "\r", "\0", "\x1b", "\x85", "\u2028", "\ufeff", "\ud800"]
LINES = PIECES.splitlines()
TEXTS = st.lists(
    st.sampled_from([*LINES, *LINES[10].split(), *LINES[11].split(), *ODD]) | st.text(max_size=3), max_size=60
).map(lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass"))

CHANGES = st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=3)), min_size=1, max_size=4)

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["/", "1s", "tcp:80"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def mostly(*good: object) -> st.SearchStrategy[object]:
    """One of these values (or one that a strategy makes), but anything at all now and then."""
    made = [value if isinstance(value, st.SearchStrategy) else st.just(value) for value in good]
    return st.integers(0, 29).flatmap(lambda roll: ANYTHING if roll == 0 else st.one_of(made))


def mapping(required: dict[str, object], optional: dict[str, object]) -> st.SearchStrategy[object]:
    return mostly(st.fixed_dictionaries(required, optional=optional))


SERVICES = mapping(
    {"image": mostly("whoami", "nginx:1.30"), "port": mostly(80, "80")},
    {
        "replicas": mostly(0, 3),
        "route": mostly("/", "/api", "host"),
        "check": mapping({}, {"http": mostly("/"), "interval": mostly("1s", 2)}),
        "weight": mostly(7),
        "stop_grace": mostly("10s"),
        "compose": mapping(
            {},
            {
                "ports": mostly(["443:80"]),
                "labels": mostly(["a=b"]),
                "environment": mostly({"A": "b"}),
                "env_file": mostly("a", ["a", {"path": "a"}]),
                "volumes": mostly(["./a:/b", "data:/b", {"type": "bind", "source": "a", "target": "/b"}]),
            },
        ),
    },
)
SPECS = mapping(
    {"name": mostly("shop"), "services": st.dictionaries(mostly("a", "b").map(str), SERVICES, min_size=1, max_size=3)},
    {
        "registry": mostly({"consul": {"ui": 8500}}, {"consul": None}),
        "balancer": mapping({}, {"http": mostly(8080), "domain": mostly("a.b")}),
        "x-a": ANYTHING,
    },
)


def loaded(data: bytes) -> Stack | SpecError:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.yaml"
        path.write_bytes(data)
        try:
            return load(path, {"A": "b"}).stack
        except SpecError as error:
            return error


def assert_sound_or_refused(data: bytes) -> None:
    answer = loaded(data)
    if isinstance(answer, SpecError):
        assert answer.problems
        assert str(answer).replace("\n", "").isprintable()
        assert len(str(answer).splitlines()) == len(answer.problems) + 1 + bool(answer.hint)
        return
    assert DNS_LABEL.match(answer.name)
    assert answer.services
    for service in answer.services:
        assert DNS_LABEL.match(service.name)
        assert 0 < service.port < 65536
        assert 0 <= service.replicas <= 1000
        assert not set(str(service.route)) & set(" ;{}$\"'\\\n")


slowly = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(st.binary(max_size=200) | TEXTS)
@slowly
def test_noise(data):
    """Bytes at random, and pieces of YAML in any order."""
    assert_sound_or_refused(data)


@given(CHANGES)
@slowly
def test_good_spec_with_a_few_bytes_changed(changes):
    """As a slip of the hand would."""
    data = bytearray(GOOD)
    for at, replacement in sorted(changes, reverse=True):
        data[at : at + 1] = replacement
    assert_sound_or_refused(bytes(data))


@given(SPECS)
@slowly
def test_right_keys_with_anything_under_them(spec):
    """Every value may be of any type and size."""
    assert_sound_or_refused(json.dumps(spec).encode())
