"""The engine's JSON becomes facts."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from stackctl.domain.container import Container
from stackctl.engine.container_json import EngineEvent, container, event, host_port, seconds, signal_number


def inspected(**config: Any) -> dict[str, Any]:
    """What `inspect` answers for a running container, cut down to what is read."""
    return {
        "Id": "c1",
        "Name": "/shop-web-1",
        "Created": "2024-01-31T12:00:00.5Z",
        "State": {"Status": "running", "StartedAt": "2024-01-31T12:00:01.123456789Z"},
        "Config": {
            "Image": "web:1",
            "Labels": {"stackctl.stack": "shop"},
            "Env": ["PATH=/bin", "SERVICE_NAME=web", "SERVICE_TAGS=a=b,c", "EMPTY"],
            "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
            **config,
        },
        "NetworkSettings": {
            "Networks": {
                "shop": {"IPAddress": "10.0.0.2", "GlobalIPv6Address": "", "Gateway": "10.0.0.1"},
                "six": {"IPAddress": "", "GlobalIPv6Address": "2001:db8::2", "IPv6Gateway": "2001:db8::1"},
                "off": {"IPAddress": ""},
            },
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": None, "53/udp": None},
        },
    }


def test_a_container() -> None:
    """Every fact that matters is read, and only those."""
    assert container(inspected()) == Container(
        id="c1",
        name="shop-web-1",
        image="web:1",
        state="running",
        health="none",
        created=1706702400.5,
        started=1706702401.123456789,
        labels={"stackctl.stack": "shop"},
        env={"SERVICE_NAME": "web", "SERVICE_TAGS": "a=b,c"},
        networks={"shop": "10.0.0.2", "six": "2001:db8::2", "off": ""},
        gateways={"shop": "10.0.0.1", "six": "2001:db8::1", "off": ""},
        ports=(80, 443),
        published={80: 8080},
        udp_ports=(53,),
    )


@pytest.mark.parametrize(
    ("bindings", "expected"),
    [
        ([], 0),
        ([("0.0.0.0", 8080)], 8080),
        ([("", 8080)], 8080),
        ([("127.0.0.1", 8080)], 0),
        ([("::1", 8080), ("127.9.9.9", 1)], 0),
        ([("::", 32000), ("0.0.0.0", 32768)], 32768),
        ([("::", 32000)], 32000),
        ([("0.0.0.0", 9), ("127.0.0.1", 1), ("0.0.0.0", 8)], 8),
        ([("192.0.2.1", 8080)], 8080),
    ],
)
def test_port_of_the_host(bindings: list[tuple[str, int]], expected: int) -> None:
    """What other machines reach, IPv4 first; the loopback is for nobody else."""
    assert host_port(bindings) == expected


def test_published_udp() -> None:
    """TCP and UDP ports of one number are told apart; a port of another protocol is neither."""
    raw = inspected(ExposedPorts={"53/tcp": {}, "53/udp": {}, "9/sctp": {}})
    bound = [{"HostIp": "0.0.0.0", "HostPort": "1053"}]
    raw["NetworkSettings"]["Ports"] = {"53/udp": bound, "53/tcp": [{"HostIp": "127.0.0.1", "HostPort": "53"}]}
    found = container(raw)
    assert (found.ports, found.udp_ports) == ((53,), (53,))
    assert (found.published, found.udp_published) == ({}, {53: 1053})


def test_ways_to_stop() -> None:
    """The stop signal is read by name or number, the timeout as seconds; none means the engine's, -1 for ever."""
    found = container(inspected(StopSignal="SIGQUIT", StopTimeout=30))
    assert (found.stop_signal, found.stop_timeout) == (3, 30.0)
    assert container(inspected(StopTimeout=-1)).stop_timeout == inf
    assert container(inspected(StopTimeout=0)).stop_timeout == 0.0
    assert [signal_number(text) for text in ("15", "TERM", "sigterm", "SIGRTMIN", "nonsense", "")] == [
        15,
        15,
        15,
        34,
        0,
        0,
    ]


def test_health_and_absent_parts() -> None:
    """Health is read where there is a check; parts that the engine leaves out are empty."""
    raw = inspected(Labels=None, Env=None, ExposedPorts=None)
    raw["State"] |= {"Health": {"Status": "unhealthy"}}
    raw["NetworkSettings"] = {"Networks": None, "Ports": None}
    found = container(raw)
    assert found.health == "unhealthy" and not found.serving
    assert (found.labels, found.env, found.networks, found.ports) == ({}, {}, {}, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T02:00:01.25+02:00", 1.25),
        ("1970-01-01T00:00:01.123456789Z", 1.123456789),
    ],
)
def test_times(text: str, expected: float) -> None:
    """Times are seconds since the epoch, and 0 for what never was."""
    assert seconds(text) == pytest.approx(expected)


def test_events() -> None:
    """Events of containers and of networks name a container; a kill has its signal."""
    time = {"timeNano": 1706702400_500000000}
    kill = {"Type": "container", "Action": "kill", "Actor": {"ID": "c1", "Attributes": {"signal": "15"}}}
    assert event(kill | time) == EngineEvent("kill", "c1", 1706702400.5, 15)
    sick = {"Type": "container", "Action": "health_status: unhealthy", "Actor": {"ID": "c1", "Attributes": {}}}
    assert event(sick | time).action == "health_status"
    joined = {"Type": "network", "Action": "connect", "Actor": {"ID": "n1", "Attributes": {"container": "c2"}}}
    assert event(joined | time) == EngineEvent("connect", "c2", 1706702400.5)


@pytest.mark.parametrize(("label", "seconds"), [("30", 30.0), ("0.5", 0.5), ("soon", 7.0), ("-1", 7.0), ("", 7.0)])
def test_a_label_says_the_grace(label: str, seconds: float) -> None:
    """Where the engine learns the grace only at the end, a label tells it before; anything odd in it is nothing."""
    assert container(inspected(StopTimeout=7, Labels={"stackctl.grace": label})).stop_timeout == seconds
