"""The engine's JSON about containers as facts: what `inspect` answers, and what the event stream tells."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any, cast

from stackctl.domain.container import Container
from stackctl.domain.instance import Health, State
from stackctl.domain.wishes import GRACE_LABEL

STOP_TIMEOUT = 10.0  # the engine's own default
_FRACTION = re.compile(r"\.\d+")
_GRACE = re.compile(r"\d{1,6}(\.\d+)?\Z")
_LOOPBACK = re.compile(r"127\.|::1\Z")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to a container; `at` is the engine's time, `signal` is 0 but for `kill`."""

    action: str
    container: str
    at: float
    signal: int = 0


def event(raw: Json) -> EngineEvent:
    """One element of the event stream; the container of a network's event is among its attributes."""
    attributes: Mapping[str, str] = raw["Actor"].get("Attributes") or {}
    # The action of a health check carries its result: `health_status: healthy`.
    action = str(raw["Action"]).partition(":")[0]
    container = attributes.get("container", "") if raw["Type"] == "network" else raw["Actor"]["ID"]
    number = signal_number(attributes.get("signal", "")) if action == "kill" else 0
    return EngineEvent(action, container, raw["timeNano"] / 1e9, number)


def container(raw: Json) -> Container:
    """What the engine answers when it is asked about one container."""
    config: Json = raw["Config"]
    state: Json = raw["State"]
    networks: Mapping[str, Json] = raw["NetworkSettings"]["Networks"] or {}
    bound: Mapping[str, Any] = raw["NetworkSettings"].get("Ports") or {}
    variables = (text.partition("=") for text in config.get("Env") or ())
    exposed = {**(config.get("ExposedPorts") or {}), **bound}
    labels: Mapping[str, str] = config.get("Labels") or {}
    return Container(
        id=raw["Id"],
        name=raw["Name"].removeprefix("/"),
        image=config["Image"],
        state=cast(State, state["Status"]),
        health=cast(Health, (state.get("Health") or {}).get("Status") or "none"),
        created=seconds(raw["Created"]),
        started=seconds(state["StartedAt"]),
        labels=labels,
        env={name: value for name, _, value in variables if name.startswith("SERVICE_")},
        networks={
            name: network.get("IPAddress") or network.get("GlobalIPv6Address") or ""
            for name, network in networks.items()
        },
        gateways={
            name: network.get("Gateway") or network.get("IPv6Gateway") or "" for name, network in networks.items()
        },
        ports=_numbers(exposed, "tcp"),
        published=_published(bound, "tcp"),
        udp_ports=_numbers(exposed, "udp"),
        udp_published=_published(bound, "udp"),
        stop_signal=signal_number(config.get("StopSignal") or "SIGTERM"),
        stop_timeout=_stop_timeout(config.get("StopTimeout"), labels.get(GRACE_LABEL, "")),
    )


def _stop_timeout(own: int | None, label: str) -> float:
    """A Swarm tells the seconds only when it stops a container; a label says them before."""
    if _GRACE.match(label):
        return float(label)
    return STOP_TIMEOUT if own is None else inf if own < 0 else float(own)


def seconds(time: str) -> float:
    """Seconds since the epoch in a time like 2024-01-31T12:00:00.123456789Z; the year 1 stands for never."""
    fraction = _FRACTION.search(time)
    whole = datetime.fromisoformat(_FRACTION.sub("", time))
    never = whole.astimezone(UTC).year < 1970
    return 0.0 if never else whole.timestamp() + (float(fraction[0]) if fraction else 0.0)


def signal_number(text: str) -> int:
    """The number of a signal that is written as 15, TERM or SIGTERM; 0 where there is none of that name."""
    if text.isdecimal():
        return int(text)
    name = f"SIG{text.upper().removeprefix('SIG')}"
    return int(signal.Signals[name]) if name in signal.Signals.__members__ else 0


def host_port(bindings: Iterable[tuple[str, int]]) -> int:
    """The host's port among what a port of a container is published on (address, port), as other machines reach it.

    What is published on the loopback only is reached by nobody else, and gives 0. IPv4 comes first, because the engine
    may choose another port for IPv6; of several the lowest, because the engine tells them in any order.
    """
    reachable = [(":" in address, port) for address, port in bindings if not _LOOPBACK.match(address)]
    return min(reachable, default=(False, 0))[1]


def _numbers(ports: Iterable[str], protocol: str) -> tuple[int, ...]:
    """80/tcp as 80."""
    return tuple(
        sorted(int(number) for number, _, kind in map(_split, ports) if kind == protocol and number.isdecimal())
    )


def _published(bound: Mapping[str, Any], protocol: str) -> dict[int, int]:
    found = {
        int(number): host_port((host.get("HostIp", ""), int(host["HostPort"])) for host in hosts or ())
        for (number, _, kind), hosts in ((_split(port), hosts) for port, hosts in bound.items())
        if kind == protocol and number.isdecimal()
    }
    return {port: host for port, host in found.items() if host}


def _split(port: str) -> tuple[str, str, str]:
    number, slash, kind = port.partition("/")
    return number, slash, kind or "tcp"
