"""Redis' keys and values: what may pass to a catalog, and what is set aside."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stackctl.domain.catalog import Registration
from stackctl.domain.instance import Endpoint
from stackctl.registry import redis_keys
from stackctl.registry.redis_keys import Member, Row

MEMBER = Member("/work", "webapp", "10.0.0.1")
WEB = Registration(
    "webapp-1", "webapp", Endpoint("10.0.0.1", 80), "shop-webapp-1", "shop/registrator", ("a",), (("weight", "3"),)
)


def row(registration: Registration = WEB, **other: str | None) -> Row:
    """How a registration stands in Redis; `other` replaces values."""
    address, known = redis_keys.written(registration)
    return replace(Row(MEMBER, address, known), **other)  # type: ignore[arg-type]


def known(**other: object) -> str:
    """What stands beside an address, with other values."""
    return json.dumps(json.loads(redis_keys.written(WEB)[1]) | other)


def test_there_and_back() -> None:
    """What is written is what is read."""
    assert redis_keys.registered(row()) == WEB
    entry = redis_keys.entry(row())
    assert (entry.id, entry.registration, entry.weight, entry.draining) == ("shop-webapp-1", "webapp-1", 3, False)


def test_members() -> None:
    """Keys follow from a member and lead back to it; other keys lead nowhere."""
    assert {Member.of("/work", key) for key in MEMBER.keys} == {MEMBER}
    for key in ("/work/webapp/ips/", "/work//ips/a", "/work/webapp/else/a", "/work/a/b/ips/c", "/other/webapp/ips/a"):
        assert Member.of("/work", key) is None


def test_pattern_is_literal() -> None:
    """Whatever stands in a prefix or a name is no wildcard."""
    assert redis_keys.pattern("/work", "web*[a]") == "/work/web\\*\\[a\\]/ips/*"
    assert redis_keys.pattern("/work") == "/work/*/ips/*"


def test_foreign_address() -> None:
    """An address alone is enough: its id is the key's; what stands beside it for another address does not count."""
    for found in (row(known=None), row(known="{}"), row(known=known(endpoint="10.0.0.9:80"))):
        entry = redis_keys.entry(found)
        assert (entry.id, entry.owner, entry.weight) == ("10.0.0.1", "", 1)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"address": "10.0.0.1"}, "no ip:port"),
        ({"address": "10.0.0.1:80; include /etc/passwd"}, "no ip:port"),
        ({"address": "webapp:80"}, "no ip:port"),
        ({"address": "10.0.0.1:0"}, "no ip:port"),
        ({"known": "{"}, "no JSON"),
        ({"known": "[]"}, "no JSON object"),
        ({"known": known(id="a b")}, "not allowed"),
        ({"known": known(id="")}, "not allowed"),
        ({"known": known(id=7)}, "no text"),
        ({"known": known(instance="a;b")}, "not allowed"),
        ({"known": known(tags="a")}, "no list"),
        ({"known": known(tags=[1])}, "no list"),
        ({"known": known(meta={"weight": 3})}, "no mapping"),
        ({"known": known(meta={"weight": "0"})}, "weight"),
        ({"known": known(meta={"weight": "3; evil"})}, "weight"),
    ],
)
def test_set_aside(bad: dict[str, str], reason: str) -> None:
    """What is no typed value is set aside, with the reason."""
    found, (aside,) = redis_keys.entries([row(**bad)])
    assert found == () and reason in aside.reason and aside.id == "10.0.0.1"
    assert aside.registration == redis_keys.id_of(row(**bad)), "by which it is removed"


def test_marks() -> None:
    """A mark counts for the registration that it names, and for nobody who has the address later."""
    marked = redis_keys.entry(row(mark=redis_keys.mark("webapp-1", "why")))
    assert (marked.draining, marked.drain_reason) == (True, "why")
    for other in (redis_keys.mark("webapp-0", "why"), "{", "[]", '"webapp-1"'):
        assert not redis_keys.entry(row(mark=other)).draining
