"""Which check a container asks the registry for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stackctl.domain.catalog import RegistryCheck
from stackctl.domain.checks import MAX_TEXT, CheckWish, check_wish, registry_check
from stackctl.domain.instance import Endpoint
from stackctl.domain.wishes import of_port, wishes

HERE = Endpoint("10.0.0.2", 80)
TCP = RegistryCheck("", "10.0.0.2:80", 1.0, 1.0, 5400.0)
NONE = replace(TCP, tcp="")


def wish(settings: dict[str, str], labels: dict[str, str] | None = None, port: int = 80) -> CheckWish:
    """What SERVICE_CHECK_* settings ask for at one port; the prefix is left out."""
    return check_wish(labels or {}, of_port(wishes({f"SERVICE_{key}": text for key, text in settings.items()}), port))


def check(settings: dict[str, str], *, udp: bool = False, scripts: bool = True) -> RegistryCheck | None:
    """The check at HERE that these settings ask for."""
    return registry_check(wish(settings), HERE, udp=udp, scripts=scripts)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, TCP),
        ({"CHECK_TCP": "true"}, TCP),
        ({"CHECK_TCP": "false"}, TCP),
        ({"CHECK_HTTP": "/up"}, replace(NONE, http="http://10.0.0.2:80/up")),
        ({"CHECK_HTTP": "/up?deep=1"}, replace(NONE, http="http://10.0.0.2:80/up?deep=1")),
        ({"CHECK_HTTP": "/", "CHECK_HTTP_METHOD": "head"}, replace(NONE, http="http://10.0.0.2:80/", method="HEAD")),
        ({"CHECK_HTTP": "/", "CHECK_HTTP_METHOD": "GET"}, replace(NONE, http="http://10.0.0.2:80/")),
        ({"CHECK_HTTP": "/", "CHECK_HTTPS_METHOD": "PUT"}, replace(NONE, http="http://10.0.0.2:80/")),
        ({"CHECK_HTTPS": "/up"}, replace(NONE, http="https://10.0.0.2:80/up")),
        (
            {"CHECK_HTTPS": "/", "CHECK_HTTPS_METHOD": "POST", "CHECK_TLS_SKIP_VERIFY": "true"},
            replace(NONE, http="https://10.0.0.2:80/", method="POST", skip_verify=True),
        ),
        ({"CHECK_HTTPS": "/", "CHECK_TLS_SKIP_VERIFY": "false"}, replace(NONE, http="https://10.0.0.2:80/")),
        ({"CHECK_HTTP": "/", "CHECK_TLS_SKIP_VERIFY": "true"}, replace(NONE, http="http://10.0.0.2:80/")),
        ({"CHECK_GRPC": "true"}, replace(NONE, grpc="10.0.0.2:80")),
        ({"CHECK_GRPC": "shop.Web"}, replace(NONE, grpc="10.0.0.2:80/shop.Web")),
        ({"CHECK_GRPC": "1", "CHECK_GRPC_USE_TLS": "true"}, replace(NONE, grpc="10.0.0.2:80", tls=True)),
        ({"CHECK_GRPC": "false"}, TCP),
        (
            {"CHECK_GRPC": "1", "CHECK_GRPC_USE_TLS": "1", "CHECK_TLS_SKIP_VERIFY": "1"},
            replace(NONE, grpc="10.0.0.2:80", tls=True, skip_verify=True),
        ),
        ({"CHECK_TTL": "30s"}, replace(NONE, ttl=30.0)),
        (
            {"CHECK_SCRIPT": "nc $SERVICE_IP $SERVICE_PORT | grep OK; exit ${?}"},
            replace(NONE, script="nc 10.0.0.2 80 | grep OK; exit ${?}"),
        ),
        (
            {"CHECK_INTERVAL": "15s", "CHECK_TIMEOUT": "1m30s", "CHECK_DEREGISTER_AFTER": "10m"},
            replace(TCP, interval=15.0, timeout=90.0, deregister_after=600.0),
        ),
        ({"CHECK_INITIAL_STATUS": "critical"}, replace(TCP, status="critical")),
        ({"CHECK_INITIAL_STATUS": " Warning"}, replace(TCP, status="warning")),
        ({"CHECK_INTERVAL": "", "CHECK_HTTP": ""}, TCP),
    ],
)
def test_every_setting(settings: dict[str, str], expected: RegistryCheck) -> None:
    """Each SERVICE_CHECK_* setting means what it does to registrator."""
    assert check(settings) == expected


def test_one_way_of_several() -> None:
    """Of several ways to check the first counts in registrator's order: http, https, script, ttl, tcp, grpc."""
    ways = {"HTTP": "/", "HTTPS": "/", "SCRIPT": "true", "TTL": "9s", "TCP": "1", "GRPC": "1"}
    settings = {f"CHECK_{way}": value for way, value in ways.items()}
    found = []
    for way in ways:
        found.append(wish(settings).kind)
        del settings[f"CHECK_{way}"]
    assert found == ["http", "https", "script", "ttl", "tcp", "grpc"]


def test_port_beats_general() -> None:
    """A port's own way to check takes the place of a general one, and a port's own detail of a general detail."""
    settings = {"CHECK_HTTP": "/up", "CHECK_INTERVAL": "5s", "443_CHECK_TCP": "true", "443_CHECK_INTERVAL": "9s"}
    assert (wish(settings, port=80).kind, wish(settings, port=80).interval) == ("http", 5.0)
    assert (wish(settings, port=443).kind, wish(settings, port=443).interval) == ("tcp", 9.0)


def test_label_of_stackctl() -> None:
    """The label that the planner writes is the whole check; settings beside it say nothing."""
    label = {"stackctl.check": json.dumps({"kind": "http", "path": "/healthz", "interval": 2})}
    assert wish({"CHECK_TTL": "3s"}, label) == CheckWish("http", "/healthz", interval=2.0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"CHECK_HTTP": "/"}, None),
        ({"CHECK_GRPC": "1"}, None),
        ({"CHECK_TTL": "9s"}, replace(NONE, ttl=9.0)),
        ({"CHECK_SCRIPT": "dig @$SERVICE_IP"}, replace(NONE, script="dig @10.0.0.2")),
    ],
)
def test_udp(settings: dict[str, str], expected: RegistryCheck | None) -> None:
    """A UDP port has no check that needs a connection: only a script, or somebody's own report."""
    assert check(settings, udp=True) == expected


def test_scripts_are_refused() -> None:
    """A script is not silently left out: its refusal names the key of the spec that allows it."""
    for udp in (False, True):
        with pytest.raises(ValueError, match=r"registry\.consul\.script_checks"):
            check({"CHECK_SCRIPT": "true"}, udp=udp, scripts=False)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"CHECK_HTTP": "up"}, "path"),
        ({"CHECK_HTTPS": "/;}"}, "path"),
        ({"CHECK_HTTP": "/" + "a" * 301}, "path"),
        ({"CHECK_HTTP": "/" + '"' * 200}, "too long"),
        ({"CHECK_HTTP": "/", "CHECK_HTTP_METHOD": "GET /"}, "METHOD"),
        ({"CHECK_HTTPS": "/", "CHECK_HTTPS_METHOD": "BREW"}, "METHOD"),
        ({"CHECK_GRPC": "a b"}, "CHECK_GRPC"),
        ({"CHECK_GRPC": "../x"}, "CHECK_GRPC"),
        ({"CHECK_TTL": "true"}, "duration"),
        ({"CHECK_TTL": "0s"}, "time"),
        ({"CHECK_SCRIPT": "a\nb"}, "one line"),
        ({"CHECK_SCRIPT": "x" * MAX_TEXT}, "too long"),
        ({"CHECK_SCRIPT": "$SERVICE_IP " * 40}, "too long"),
        ({"CHECK_INITIAL_STATUS": "fine"}, "INITIAL_STATUS"),
        ({"CHECK_TIMEOUT": "9999999h"}, "time"),
    ],
)
def test_refused(settings: dict[str, str], word: str) -> None:
    """What can't be understood, or is not safe, is refused in words that name it."""
    with pytest.raises(ValueError, match=word):
        check(settings)
