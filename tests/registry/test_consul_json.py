"""Consul's JSON becomes typed values, whatever is in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.catalog import Catalog, CatalogEntry, Registration, RegistryCheck
from stackctl.domain.container import Container
from stackctl.domain.conventions import Scope, claims
from stackctl.domain.instance import Endpoint
from stackctl.registry import consul_json

REGISTRATION = Registration(
    id="web-1-80",
    service="web",
    endpoint=Endpoint("10.0.0.2", 80),
    instance="web-1",
    owner="shop/host-1",
    tags=("blue", "a,b"),
    meta=(("region", "eu"), ("weight", "3")),
    check=RegistryCheck("http://10.0.0.2:80/up", "", 1.0, 0.5, 5400.0),
)


def answer(**changes: Any) -> dict[str, Any]:
    """One element of Consul's answer about a service's health."""
    service = {
        "ID": "web-1",
        "Service": "web",
        "Address": "10.0.0.2",
        "Port": 80,
        "Tags": None,
        "Meta": None,
        "Weights": {"Passing": 1, "Warning": 1},
    }
    checks = [check("serfHealth", "passing"), check("service:web-1", "passing", "web-1")]
    return {"Node": {"Node": "agent-1", "Address": "10.0.0.9"}, "Service": service | changes, "Checks": checks}


def check(id: str, status: str, service: str = "", kind: str = "http", output: str = "asked") -> dict[str, Any]:
    """A check as Consul tells it; a node's without a service."""
    return {"CheckID": id, "Status": status, "ServiceID": service, "Type": kind, "Output": output}


def entry(raw: dict[str, Any]) -> CatalogEntry:
    """The only entry of an answer of one element."""
    found = consul_json.catalog("web", [raw], 7)
    assert not found.set_aside and found.index == 7
    return found.entries[0]


def test_an_entry() -> None:
    """What others registered is an entry under its own id, without an owner."""
    expected = CatalogEntry("web-1", "web", Endpoint("10.0.0.2", 80), "web-1", holder="agent-1")
    assert entry(answer()) == expected


def test_an_entry_of_stackctl() -> None:
    """What stackctl registered is an entry under the instance's id, with owner, weight and tags."""
    body = consul_json.service(REGISTRATION)
    raw = {"Node": {"Address": "10.0.0.9"}, "Service": body | {"Service": "web"}, "Checks": []}
    assert entry(raw) == CatalogEntry(
        id="web-1",
        service="web",
        endpoint=Endpoint("10.0.0.2", 80),
        registration="web-1-80",
        owner="shop/host-1",
        weight=3,
        tags=("blue", "a,b"),
        meta=(("region", "eu"), ("weight", "3")),
    )


def test_address_of_the_node() -> None:
    """A service without an address of its own has its node's."""
    assert entry(answer(Address="")).endpoint == Endpoint("10.0.0.9", 80)


@pytest.mark.parametrize(
    ("checks", "passing", "node_alive", "draining"),
    [
        ([], True, True, False),
        ([check("a", "warning", "web-1")], False, True, False),
        ([check("a", "passing", "web-1"), check("b", "critical", "web-1")], False, True, False),
        ([check("serfHealth", "critical"), check("a", "passing", "web-1")], True, False, False),
        ([check("_service_maintenance:web-1", "critical", "web-1")], True, True, True),
        ([check("_node_maintenance", "critical")], True, True, True),
    ],
)
def test_checks(checks: list[Any], passing: bool, node_alive: bool, draining: bool) -> None:
    """Own checks, the node's, and marks of maintenance are told apart."""
    found = entry({**answer(), "Checks": checks})
    assert (found.passing, found.node_alive, found.draining) == (passing, node_alive, draining)


@pytest.mark.parametrize(
    ("checks", "unasked"),
    [
        ([check("a", "critical", "web-1", output="")], True),
        ([check("a", "critical", "web-1", kind="ttl", output=""), check("b", "passing", "web-1")], True),
        ([check("a", "critical", "web-1", output=""), check("b", "critical", "web-1")], False),
        ([check("a", "critical", "web-1", kind="script", output="")], False),
        ([check("a", "warning", "web-1", output="")], False),
        ([check("a", "passing", "web-1", output="")], False),
        ([check("serfHealth", "critical", output="")], False),
        ([check("_service_maintenance:web-1", "critical", "web-1", kind="maintenance", output="")], False),
    ],
)
def test_unasked(checks: list[Any], unasked: bool) -> None:
    """A check that fails without a word was not made yet, where it is of a kind that leaves words."""
    assert entry({**answer(), "Checks": checks}).unasked == unasked


@pytest.mark.parametrize(
    "changes",
    [
        {"Address": "evil.example.test"},
        {"Address": "10.0.0.2; }"},
        {"Address": "fe80::1%; }"},
        {"Port": 0},
        {"Port": 65536},
        {"ID": "a b"},
        {"ID": "x\n"},
        {"Meta": {"stackctl-instance": "{}"}},
        {"Meta": {"weight": "0"}},
        {"Meta": {"weight": "many"}},
        {"Meta": {"weight": "1\n"}},
        {"Weights": {"Passing": 257}},
    ],
)
def test_set_aside(changes: dict[str, Any]) -> None:
    """A value that may not reach a config sets its entry aside with a reason, and no other one."""
    found = consul_json.catalog("web", [answer(**changes), answer(ID="web-2")], 7)
    assert [each.id for each in found.entries] == ["web-2"]
    (aside,) = found.set_aside
    assert aside.reason and aside.id.isprintable()
    raw = answer(**changes)
    assert (aside.registration, aside.holder) == (raw["Service"]["ID"], raw["Node"]["Node"]), "by which it is removed"


@given(st.text("aZ0.:;{}$\n %é", max_size=9), st.integers(-9, 99999), st.text("09a\n", max_size=5))
def test_whatever_others_register(address: str, port: int, weight: str) -> None:
    """No text of others crashes the reading."""
    found = consul_json.catalog("web", [answer(Address=address, Port=port, Meta={"weight": weight})], 7)
    assert len(found.entries) + len(found.set_aside) == 1


@pytest.mark.parametrize("nonsense", [None, 5, {"a": 1}, [1], [{}], [{"Service": None}], [{"Service": {"ID": "a"}}]])
def test_not_an_answer(nonsense: Any) -> None:
    """Something that Consul does not answer is not taken for an empty catalog."""
    with pytest.raises((KeyError, TypeError, AttributeError)):
        consul_json.catalog("web", nonsense, 7)


def test_empty() -> None:
    """A service that nobody registered has an empty catalog."""
    assert consul_json.catalog("web", [], 7) == Catalog("web")


def test_registration_there_and_back() -> None:
    """What was written is read back as the same value, so that it is not written again."""
    body = json.loads(json.dumps(consul_json.service(REGISTRATION)))
    held = body | {"Service": body["Name"]}
    assert consul_json.registrations({"web-1-80": held}) == (REGISTRATION,)


def test_registration_of_others() -> None:
    """What others wrote has no owner; even without a usable address it holds its id."""
    raw = {"ID": "db", "Service": "db", "Address": "", "Port": 0, "Tags": None, "Meta": {"stackctl-check": "?"}}
    (found,) = consul_json.registrations({"db": raw})
    assert (found.id, found.owner, found.check, found.endpoint) == ("db", "", None, consul_json.NOWHERE)


def test_body_of_a_registration() -> None:
    """The body counts as passing at once, holds the weight twice, and is checked as asked."""
    body = consul_json.service(REGISTRATION)
    assert body["Weights"]["Passing"] == 3 and body["Meta"]["weight"] == "3"
    assert body["EnableTagOverride"] is False
    assert body["Check"] == {
        "Name": "stackctl asks web-1",
        "HTTP": "http://10.0.0.2:80/up",
        "Interval": "1000ms",
        "Timeout": "500ms",
        "DeregisterCriticalServiceAfter": "5400000ms",
        "Status": "passing",
    }


IDLE = RegistryCheck("", "", 2.0, 0.5, 60.0)
TIMES = {"Interval": "2000ms", "Timeout": "500ms", "DeregisterCriticalServiceAfter": "60000ms", "Status": "passing"}


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (replace(IDLE, tcp="10.0.0.2:80"), {"TCP": "10.0.0.2:80", **TIMES}),
        (replace(IDLE, http="http://a/", method="HEAD"), {"HTTP": "http://a/", "Method": "HEAD", **TIMES}),
        (replace(IDLE, http="https://a/", skip_verify=True), {"HTTP": "https://a/", "TLSSkipVerify": True, **TIMES}),
        (replace(IDLE, grpc="10.0.0.2:80/web", tls=True), {"GRPC": "10.0.0.2:80/web", "GRPCUseTLS": True, **TIMES}),
        (replace(IDLE, script="nc a | grep b"), {"Args": ["/bin/sh", "-c", "nc a | grep b"], **TIMES}),
        (
            replace(IDLE, ttl=30.0, status="critical"),
            {"TTL": "30000ms", "DeregisterCriticalServiceAfter": "60000ms", "Status": "critical"},
        ),
    ],
)
def test_checks_in_words_of_consul(check: RegistryCheck, expected: dict[str, Any]) -> None:
    """Each kind of check is Consul's own kind, holds nothing of the others, and is read back as it was."""
    written = replace(REGISTRATION, check=check)
    body = json.loads(json.dumps(consul_json.service(written)))
    assert body["Check"] == {"Name": "stackctl asks web-1", **expected}
    assert consul_json.registrations({"a": body | {"Service": "web"}}) == (written,)


def test_no_check() -> None:
    """What nobody can ask, as a UDP port, has no check, and is read back without one."""
    written = replace(REGISTRATION, check=None)
    body = consul_json.service(written)
    assert "Check" not in body
    assert consul_json.registrations({"a": body | {"Service": "web"}}) == (written,)


WORDS = ("HTTP", "HTTPS", "SCRIPT", "TTL", "GRPC", "INTERVAL", "TIMEOUT", "DEREGISTER_AFTER", "INITIAL_STATUS")
LONG = st.builds(lambda text, times: text * times, st.text('"\\aé/$', max_size=6), st.integers(1, 90))
VALUES = LONG | st.sampled_from(["/", "9s", "1.0000001s", "true", "warning"])
SETTINGS = st.dictionaries(st.sampled_from([f"SERVICE_CHECK_{word}" for word in WORDS] + ["SERVICE_X"]), VALUES)


@given(SETTINGS | LONG.map(lambda text: {"SERVICE_CHECK_SCRIPT": text}))
def test_whatever_people_ask_for(env: dict[str, str]) -> None:
    """Whatever is not set aside fits into Consul's metadata, and is read back as the same registration."""
    labels = {"SERVICE_NAME": "web", "SERVICE_CHECK_HTTPS_METHOD": "OPTIONS", "SERVICE_CHECK_TLS_SKIP_VERIFY": "1"}
    asking = Container("c", "web-1", "web", "running", labels=labels, env=env, networks={"n": "10.0.0.2"}, ports=(80,))
    for claim in claims(asking, Scope("shop", "n", "shop/host-1", script_checks=True)).wanted:
        body = json.loads(json.dumps(consul_json.service(claim.registration)))
        assert all(len(key) <= 128 and len(value.encode()) <= 512 for key, value in body["Meta"].items())
        assert consul_json.registrations({"a": body | {"Service": body["Name"]}}) == (claim.registration,)


@pytest.mark.parametrize(
    ("previous", "header", "following"),
    [(0, "5", 5), (5, "9", 9), (5, "5", 5), (9, "5", 0), (0, "0", 1), (0, None, 1), (3, None, 0), (0, "-1", 1)],
)
def test_index(previous: int, header: str | None, following: int) -> None:
    """The index is never one that would not block, and starts anew where Consul's went backwards."""
    assert consul_json.next_index(previous, header) == following


def test_only_what_both_have_is_held() -> None:
    """What its servers do not know yet is not held by an agent, and what only they have leads nowhere."""
    passed_on, not_yet = replace(REGISTRATION, id="a"), replace(REGISTRATION, id="b")
    left, changed = replace(REGISTRATION, id="c"), replace(REGISTRATION, id="d", tags=("green",))
    found = consul_json.agreed([passed_on, not_yet, REGISTRATION], [passed_on, left])
    assert found == (passed_on, replace(left, endpoint=consul_json.NOWHERE))
    old = replace(changed, tags=())
    assert consul_json.agreed([changed], [old]) == (old,)
