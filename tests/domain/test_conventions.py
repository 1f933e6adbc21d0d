"""Which registrations a container asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.catalog import Registration, RegistryCheck
from stackctl.domain.container import Container
from stackctl.domain.conventions import Claims, Question, Scope, catalog_name, claims
from stackctl.domain.instance import DNS_LABEL, SAFE_ID, Endpoint
from stackctl.domain.wishes import seconds

SCOPE = Scope("shop", "shop_default", "shop/host-1", "192.0.2.9")
LABELS = {
    "stackctl.stack": "shop",
    "stackctl.service": "web",
    "stackctl.role": "service",
    "stackctl.register": "registrator",
    "stackctl.port": "80",
}


def container(labels: dict[str, str] | None = None, env: dict[str, str] | None = None, **facts: Any) -> Container:
    """A running container of the stack with one address and port 80 exposed."""
    known: dict[str, Any] = {"networks": {"shop_default": "10.0.0.2"}, "ports": (80,)}
    return Container("c1", "shop-web-1", "web:1", "running", labels=labels or {}, env=env or {}, **(known | facts))


def registered(found: Claims) -> list[Registration]:
    """The registrations of claims that hold no problem."""
    assert not found.problem
    return [claim.registration for claim in found.wanted]


def names(found: Claims) -> list[tuple[str, str]]:
    """Id and service's name of each registration."""
    return [(registration.id, registration.service) for registration in registered(found)]


def test_labels_of_stackctl() -> None:
    """A container of the stack is registered under its name, at its address on the stack's network."""
    check = json.dumps({"kind": "http", "path": "/up", "interval": 2, "timeout": 0.5, "deregister_after": 60})
    found = claims(container({**LABELS, "stackctl.check": check, "stackctl.weight": "3"}), SCOPE)
    assert registered(found) == [
        Registration(
            id="shop-web-1",
            service="web",
            endpoint=Endpoint("10.0.0.2", 80),
            instance="shop-web-1",
            owner="shop/host-1",
            meta=(("weight", "3"),),
            check=RegistryCheck("http://10.0.0.2:80/up", "", 2, 0.5, 60),
        )
    ]
    assert found.wanted[0].question == Question(Endpoint("10.0.0.2", 80), "/up", 0.5)


def test_defaults_of_the_check() -> None:
    """Without a wish the registry connects every second, and gives up after ninety minutes."""
    (registration,) = registered(claims(container(LABELS), SCOPE))
    assert registration.check == RegistryCheck("", "10.0.0.2:80", 1.0, 1.0, 5400.0)


@pytest.mark.parametrize(
    ("labels", "env"),
    [
        ({}, {}),
        ({}, {"SERVICE_REGION": "eu"}),
        ({**LABELS, "stackctl.stack": "other"}, {}),
        ({**LABELS, "stackctl.register": "none"}, {"SERVICE_NAME": "web"}),
        ({**LABELS, "stackctl.register": "self"}, {"SERVICE_NAME": "web"}),
        ({"stackctl.register": "registrator"}, {"SERVICE_NAME": "web"}),
        ({"stackctl.stack": "shop", "stackctl.role": "balancer"}, {"SERVICE_NAME": "web"}),
        ({"stackctl.stack": "other"}, {"SERVICE_NAME": "web"}),
        ({}, {"SERVICE_NAME": "web", "SERVICE_IGNORE": "true"}),
        ({}, {"SERVICE_NAME": "web", "SERVICE_80_IGNORE": "1"}),
        ({}, {"SERVICE_CHECK_INTERVAL": "5s"}),
    ],
)
def test_who_is_not_registered(labels: dict[str, str], env: dict[str, str]) -> None:
    """Who does not ask, belongs to another stack or role, or asks to be ignored is none of our business."""
    assert claims(container(labels, env), SCOPE) == Claims()


def test_who_is_registered_by_a_call() -> None:
    """Of what somebody else writes only the id and the endpoint are known; nobody can follow what has no address."""
    (claim,) = claims(container({**LABELS, "stackctl.register": "api"}, {}), SCOPE).wanted
    assert claim.called and (claim.registration.id, claim.registration.endpoint.port) == (container({}).name, 80)
    by_host = {**LABELS, "stackctl.register": "api", "stackctl.address": "host"}
    assert claims(container(by_host, {}), SCOPE) == Claims()


def test_no_address_on_the_network() -> None:
    """Without an address on the stack's network there is nothing to register."""
    assert claims(container(LABELS, networks={"shop_default": "", "other": "10.1.0.2"}), SCOPE) == Claims()
    assert claims(container(LABELS, networks={"other": "10.1.0.2"}), SCOPE) == Claims()


@pytest.mark.parametrize("value", ["false", "False", "", "0", "no", "off"])
def test_ignore_that_ignores_nothing(value: str) -> None:
    """SERVICE_IGNORE set to something false does not ignore."""
    assert names(claims(container({}, {"SERVICE_NAME": "api", "SERVICE_IGNORE": value}), SCOPE)) == [
        ("shop-web-1", "api")
    ]


def test_name_from_the_image() -> None:
    """The default name is the image's last word, whatever registry, tag or digest surrounds it."""
    for image in ("hello", "hello:1", "registry.test:5000/org/hello:1", "org/hello@sha256:aa"):
        found = claims(replace(container({}, {"SERVICE_TAGS": "a"}), image=image), SCOPE)
        assert names(found) == [("shop-web-1", "hello")]


def test_several_ports() -> None:
    """Every exposed port is a service of its own; what names a port beats what does not."""
    env = {
        "SERVICE_NAME": "web",
        "SERVICE_443_NAME": "secure",
        "SERVICE_443_ID": "s1",
        "SERVICE_9000_IGNORE": "yes",
    }
    found = claims(container({}, env, ports=(9000, 443, 80)), SCOPE)
    assert names(found) == [("shop-web-1-80", "web-80"), ("s1", "secure")]


def test_several_ports_by_default_names() -> None:
    """Default names and a general id end in the port where there are several."""
    found = claims(container({}, {"SERVICE_ID": "x"}, ports=(80, 81)), SCOPE)
    assert names(found) == [("x-80", "web-80"), ("x-81", "web-81")]


def test_tags_and_metadata() -> None:
    """Tags split at unescaped commas; words without a meaning become metadata, another port's do not."""
    env = {
        "SERVICE_NAME": "web",
        "SERVICE_TAGS": r"blue, rule=a\,b,,blue",
        "SERVICE_REGION": "eu",
        "SERVICE_80_REGION": "us",
        "SERVICE_81_ZONE": "b",
        "SERVICE_EMPTY": "",
        "SERVICE_CHECK_TIMEOUT": "2s",
    }
    (registration,) = registered(claims(container({"SERVICE_REGION": "de"}, env), SCOPE))
    assert registration.tags == ("blue", "rule=a,b")
    assert registration.meta == (("region", "us"),)


def test_labels_beat_the_environment() -> None:
    """A label wins over the variable of the same name."""
    assert names(claims(container({"SERVICE_NAME": "a"}, {"SERVICE_NAME": "b"}), SCOPE)) == [("shop-web-1", "a")]


@pytest.mark.parametrize("key", ["NAME", "TAGS", "ID", "80_NAME", "ROUTE", "CHECK_HTTP", "CHECK_TTL", "80_CHECK_TCP"])
def test_who_asks(key: str) -> None:
    """A container without a label of stackctl asks by any setting that only means registration."""
    value = {"CHECK_TTL": "9s", "CHECK_HTTP": "/", "ROUTE": "/"}.get(key, "a")
    assert len(registered(claims(container({}, {f"SERVICE_{key}": value}), SCOPE))) == 1


def test_udp_ports() -> None:
    """A UDP port is a service with the tag udp, an id that no TCP port has, no check that connects, and no question."""
    env = {"SERVICE_NAME": "dns", "SERVICE_TAGS": "a", "SERVICE_CHECK_HTTP": "/", "SERVICE_53_ID": "d"}
    tcp, udp = claims(container({}, env, ports=(53,), udp_ports=(53,)), SCOPE).wanted
    assert (tcp.registration.id, tcp.registration.service, tcp.registration.tags) == ("d", "dns-53", ("a",))
    assert (udp.registration.id, udp.registration.service, udp.registration.tags) == ("d:udp", "dns-53", ("a", "udp"))
    assert tcp.registration.check is not None and udp.registration.check is None
    assert udp.question == Question(Endpoint("10.0.0.2", 53), transport="udp")
    found = claims(container({}, {"SERVICE_TAGS": "udp"}, ports=(), udp_ports=(53,)), SCOPE)
    assert names(found) == [("shop-web-1:udp", "web")] and registered(found)[0].tags == ("udp",)


def test_route_and_weight() -> None:
    """SERVICE_ROUTE and SERVICE_WEIGHT are metadata that the balancer reads; their values have to be what they say."""
    env = {"SERVICE_ROUTE": "/api", "SERVICE_ROUTE_STRIP": "true", "SERVICE_WEIGHT": "007"}
    (registration,) = registered(claims(container({}, env), SCOPE))
    assert registration.meta == (("route", "/api"), ("route-strip", "true"), ("weight", "7"))
    assert "route" in claims(container({}, {"SERVICE_ROUTE": "/x;}"}), SCOPE).problem


def test_scripts_of_a_scope() -> None:
    """A script check sets its container aside, unless the agent was told that scripts are allowed."""
    asking = container({}, {"SERVICE_NAME": "web", "SERVICE_CHECK_SCRIPT": "test $SERVICE_PORT = 80"})
    assert "script_checks" in claims(asking, SCOPE).problem
    (registration,) = registered(claims(asking, replace(SCOPE, script_checks=True)))
    assert registration.check is not None and registration.check.script == "test 80 = 80"


def test_questions() -> None:
    """The agent's own question is what the check will ask: a page, a page over TLS, else a connection."""
    asked = {}
    for check in ("HTTP", "HTTPS", "TTL", "GRPC"):
        env = {f"SERVICE_CHECK_{check}": "9s" if check == "TTL" else "/up" if "HTTP" in check else "true"}
        asked[check] = claims(container({}, env), SCOPE).wanted[0].question
    inside = Endpoint("10.0.0.2", 80)
    assert asked["HTTP"] == Question(inside, "/up")
    assert asked["HTTPS"] == Question(inside, "/up", transport="tls")
    assert asked["TTL"] == asked["GRPC"] == Question(inside)


def test_checks_by_environment() -> None:
    """SERVICE_CHECK_* describes the check, for all ports or for one."""
    env = {"SERVICE_NAME": "web", "SERVICE_CHECK_HTTP": "/up", "SERVICE_80_CHECK_INTERVAL": "1m30s"}
    (registration,) = registered(claims(container({}, env), SCOPE))
    assert registration.check == RegistryCheck("http://10.0.0.2:80/up", "", 90.0, 1.0, 5400.0)


def test_address_of_the_host() -> None:
    """Through the host: its address and the published port; the agent itself still asks inside."""
    found = claims(container({**LABELS, "stackctl.address": "host"}, published={80: 8080}), SCOPE)
    (registration,) = registered(found)
    assert registration.endpoint == Endpoint("192.0.2.9", 8080)
    assert registration.check is not None and registration.check.tcp == "192.0.2.9:8080"
    assert found.wanted[0].question.endpoint == Endpoint("10.0.0.2", 80)


def test_address_of_the_gateway() -> None:
    """Where nobody told the host's address it is the gateway of the stack's network, and of no other."""
    labels = {**LABELS, "stackctl.address": "host"}
    gateways = {"other": "10.9.0.1", "shop_default": "10.0.0.1"}
    untold = replace(SCOPE, host="")
    (registration,) = registered(claims(container(labels, published={80: 8080}, gateways=gateways), untold))
    assert registration.endpoint == Endpoint("10.0.0.1", 8080)
    assert "no gateway" in claims(container(labels, published={80: 8080}), untold).problem


def test_ports_by_the_host() -> None:
    """Without a port named, what is published is registered, and nothing else."""
    labels = {"SERVICE_NAME": "dns", "stackctl.address": "host"}
    facts = {"ports": (80, 53), "udp_ports": (53,), "published": {53: 1053}, "udp_published": {53: 2053}}
    found = registered(claims(container(labels, **facts), SCOPE))
    assert [(each.id, each.endpoint.port) for each in found] == [("shop-web-1-53", 1053), ("shop-web-1-53:udp", 2053)]
    assert "publishes no port" in claims(container(labels), SCOPE).problem


@pytest.mark.parametrize(
    ("labels", "env", "word"),
    [
        ({}, {"SERVICE_NAME": "web", "SERVICE_CHECK_CMD": "true"}, "HEALTHCHECK"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_WEIGHT": "heavy"}, "weight"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_X": "é" * 300}, "SERVICE_X"),
        ({}, {"SERVICE_NAME": "Web_1"}, "DNS label"),
        ({}, {"SERVICE_NAME": "a;b"}, "DNS label"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_ID": "a b"}, "id"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_TAGS": "a,${b}"}, "tag"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_TAGS": "a\nb"}, "tag"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_X": "a\nb"}, "SERVICE_X"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_STACKCTL-OWNER": "me"}, "metadata"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_CHECK_HTTP": "up"}, "path"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_CHECK_HTTP": "/;}"}, "path"),
        ({}, {"SERVICE_NAME": "web", "SERVICE_CHECK_INTERVAL": "often"}, "duration"),
        ({**LABELS, "stackctl.port": "http"}, {}, "stackctl.port"),
        ({**LABELS, "stackctl.port": "65536"}, {}, "stackctl.port"),
        ({**LABELS, "stackctl.weight": "0"}, {}, "weight"),
        ({**LABELS, "stackctl.weight": "257"}, {}, "weight"),
        ({**LABELS, "stackctl.check": "{"}, {}, ""),
        ({**LABELS, "stackctl.check": "[]"}, {}, "check"),
        ({**LABELS, "stackctl.check": '{"kind": "http", "path": 5}'}, {}, "path"),
        ({**LABELS, "stackctl.check": '{"interval": NaN}'}, {}, "time"),
        ({**LABELS, "stackctl.check": '{"colour": 1}'}, {}, "check"),
        ({**LABELS, "stackctl.address": "moon"}, {}, "stackctl.address"),
        ({**LABELS, "stackctl.address": "host"}, {}, "not published"),
    ],
)
def test_set_aside(labels: dict[str, str], env: dict[str, str], word: str) -> None:
    """A value that is not safe sets the container aside with a reason that names it."""
    found = claims(container(labels, env), SCOPE)
    assert not found.wanted
    assert found.problem and word in found.problem


def test_no_port() -> None:
    """A container that asks but exposes nothing is told how to say its port."""
    assert "stackctl.port" in claims(container({}, {"SERVICE_NAME": "web"}, ports=()), SCOPE).problem


def test_name_for_planning() -> None:
    """Planning computes the same name from a spec's labels and environment."""
    assert catalog_name({"SERVICE_NAME": "api", "OTHER": "x"}, "web", 80) == "api"
    assert catalog_name({"SERVICE_81_NAME": "api"}, "web", 80) == "web"
    assert catalog_name({"SERVICE_80_NAME": "api", "SERVICE_NAME": "x"}, "web", 80) == "api"
    assert catalog_name({}, "web", 80, several=True) == "web-80"


@pytest.mark.parametrize(("text", "value"), [("1s", 1), ("500ms", 0.5), ("1m30s", 90), ("1h", 3600), ("1.5s", 1.5)])
def test_durations(text: str, value: float) -> None:
    """Durations are read as registrator's users write them."""
    assert seconds(text) == pytest.approx(value)


TEXT = st.text("aZ09-_.:;{}$\n /,\\é", max_size=12) | st.sampled_from(
    ["80", "web", "/", "1s", "{}", "host", '{"kind":"http"}']
)
KEYS = [*LABELS, "stackctl.check", "stackctl.weight", "stackctl.address"]
CHECKS = ("HTTP", "HTTPS", "TCP", "SCRIPT", "TTL", "GRPC", "INTERVAL", "TIMEOUT", "INITIAL_STATUS", "HTTP_METHOD")
WORDS = ("NAME", "TAGS", "ID", "IGNORE", "X", "ROUTE", "WEIGHT", *(f"CHECK_{word}" for word in CHECKS))
SERVICE_KEYS = [f"SERVICE_{port}{word}" for port in ("", "80_") for word in WORDS]


@given(
    st.dictionaries(st.sampled_from(KEYS + SERVICE_KEYS), TEXT),
    st.dictionaries(st.sampled_from(SERVICE_KEYS), TEXT),
)
def test_whatever_people_write(labels: dict[str, str], env: dict[str, str]) -> None:
    """No text crashes the reading, and nothing unsafe comes out of it."""
    scope = replace(SCOPE, script_checks=True)
    for claim in claims(container({**LABELS, **labels}, env, udp_ports=(53,)), scope).wanted:
        registration = claim.registration
        assert DNS_LABEL.match(registration.service) and SAFE_ID.match(registration.id)
        assert not set(";{}$\n") & set("".join(registration.tags))
        if check := registration.check:
            assert not set(";{}$\n ") & set(check.http + check.grpc + check.method)
            assert "\n" not in check.script and 0.001 <= check.interval <= 1e7
        else:
            assert "udp" in registration.tags
