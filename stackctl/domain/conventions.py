"""Which registrations a container asks for: by stackctl's labels, and by registrator's SERVICE_* conventions.

Labels beat the environment, what names a port beats what does not, `stackctl.*` labels beat SERVICE_*.
Nothing is guessed: a value that could not be registered safely sets its container aside, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stackctl.domain import wishes as say
from stackctl.domain.catalog import Registration
from stackctl.domain.checks import check_wish, registry_check
from stackctl.domain.container import Container
from stackctl.domain.instance import DNS_LABEL, SAFE_ID, Endpoint

# Settings that only somebody writes who wants a registration; SERVICE_REGION may be anybody's own business.
_ASKS = re.compile(r"(\d+_)?(name|tags|id|route|check_(http|https|script|ttl|tcp|grpc))\Z")
UDP = "udp"
API = "api"


@dataclass(frozen=True, slots=True)
class Scope:
    """For which stack an agent registers, on which network, and as whom.

    `host` is the host's address, empty for the network's gateway; `script_checks` allows checks that run a script.
    """

    stack: str
    network: str
    owner: str
    host: str = ""
    script_checks: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What an instance is asked first: a GET of `path`, or where that is empty, a connection.

    `tls` takes any certificate, because only the answer counts. Over `udp` silence is a fine answer: nothing is asked.
    """

    endpoint: Endpoint
    path: str = ""
    timeout: float = 1.0
    transport: Literal["tcp", "tls", "udp"] = "tcp"


@dataclass(frozen=True, slots=True)
class Claim:
    """A registration that a container asks for, and the question that comes first.

    What is `called` somebody else writes; of it only the id and the endpoint are known here.
    """

    registration: Registration
    question: Question
    called: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of a container: what registrator takes for one service."""

    number: int
    udp: bool = False


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything that one container asks for; `problem` says why one that asks is set aside."""

    wanted: tuple[Claim, ...] = ()
    problem: str = ""


def claims(container: Container, scope: Scope) -> Claims:
    """What this container asks to be registered as; nothing where it does not ask, or has no address."""
    wishes = say.wishes({**container.env, **container.labels})
    if not container.networks.get(scope.network) or not _asks(container.labels, wishes, scope.stack):
        return Claims()
    if container.labels.get(say.REGISTER_LABEL) == API:
        return _called(container, scope)
    try:
        ports = _ports(container)
        heard = [port for port in ports if not say.ignored(say.of_port(wishes, port.number))]
        return Claims(tuple(_claim(container, scope, wishes, port, len(ports) > 1) for port in heard))
    except ValueError as problem:
        return Claims(problem=str(problem))


def _called(container: Container, scope: Scope) -> Claims:
    try:
        (port,) = _ports(container)
        by_host = _by_host(container.labels)
        endpoint = (
            _on_host(container, scope, port) if by_host else Endpoint(container.networks[scope.network], port.number)
        )
    except ValueError:  # whoever registers it has to know better
        return Claims()
    name = container.name
    return Claims((Claim(Registration(name, "", endpoint, name, ""), Question(endpoint), called=True),))


def catalog_name(settings: Mapping[str, str], default: str, port: int, *, several: bool = False) -> str:
    """The name under which the catalog lists a port; `settings` are SERVICE_* labels over environment,
    `default` is the service's name. With several ports it ends in the port, if not given for that one."""
    return _named(say.wishes(settings), "name", default, port, several)


def _named(wishes: say.Wishes, key: str, default: str, port: int, several: bool) -> str:
    general = wishes.get(key) or default
    return wishes.get(f"{port}_{key}") or (f"{general}-{port}" if several else general)


def _asks(labels: Mapping[str, str], wishes: say.Wishes, stack: str) -> bool:
    if labels.get(say.STACK_LABEL, stack) != stack or labels.get(say.ROLE_LABEL, "service") != "service":
        return False
    if say.REGISTER_LABEL in labels:
        return say.STACK_LABEL in labels and labels[say.REGISTER_LABEL] in ("registrator", API)
    return any(_ASKS.match(wish) for wish in wishes)


def _ports(container: Container) -> tuple[Port, ...]:
    if label := container.labels.get(say.PORT_LABEL):
        return (Port(say.whole(label, say.PORT_LABEL, 65535)),)
    by_host = _by_host(container.labels)
    tcp = container.published if by_host else container.ports
    udp = container.udp_published if by_host else container.udp_ports
    if not tcp and not udp:
        what = "publishes no port to other machines" if by_host else "exposes no port"
        raise ValueError(f"it {what}; name one with EXPOSE or the label {say.PORT_LABEL}")
    return tuple(sorted([*map(Port, tcp), *(Port(port, udp=True) for port in udp)]))


def _claim(container: Container, scope: Scope, wishes: say.Wishes, port: Port, several: bool) -> Claim:
    here = say.of_port(wishes, port.number)
    default = container.labels.get(say.SERVICE_LABEL) or _basename(container.image)
    name = _named(wishes, "name", default, port.number, several)
    # One number may be two ports; without the suffix they would be one registration.
    id = _named(wishes, "id", container.name, port.number, several) + (f":{UDP}" if port.udp else "")
    if not DNS_LABEL.match(name):
        raise ValueError(f"the service's name {name!r} is not a DNS label; set SERVICE_NAME")
    for word in (id, container.name):
        if not SAFE_ID.match(word):
            raise ValueError(f"the id {word!r} holds a character that is not allowed, or is too long")
    inside = Endpoint(container.networks[scope.network], port.number)
    endpoint = _on_host(container, scope, port) if _by_host(container.labels) else inside
    wish = check_wish(container.labels, here)
    tags = say.tags(here)
    registration = Registration(
        id=id,
        service=name,
        endpoint=endpoint,
        instance=container.name,
        owner=scope.owner,
        tags=(*tags, UDP) if port.udp and UDP not in tags else tags,
        meta=say.meta(container.labels, here),
        check=registry_check(wish, endpoint, udp=port.udp, scripts=scope.script_checks),
    )
    path = wish.word if wish.kind in ("http", "https") and not port.udp else ""
    return Claim(registration, Question(inside, path, wish.timeout, _transport(port, wish.kind)))


def _transport(port: Port, kind: str) -> Literal["tcp", "tls", "udp"]:
    if port.udp:
        return "udp"
    return "tls" if kind == "https" else "tcp"


def _by_host(labels: Mapping[str, str]) -> bool:
    address = labels.get(say.ADDRESS_LABEL, "container")
    if address not in ("container", "host"):
        raise ValueError(f"{say.ADDRESS_LABEL} is {address!r}, not container or host")
    return address == "host"


def _on_host(container: Container, scope: Scope, port: Port) -> Endpoint:
    # The gateway is the host as the stack's network sees it, and the engine answers there on published ports.
    host = scope.host or container.gateways.get(scope.network)
    if not host:
        raise ValueError(
            f"{say.ADDRESS_LABEL} is host, but {scope.network} has no gateway and STACKCTL_HOST_IP is unset"
        )
    published = container.udp_published if port.udp else container.published
    if port.number not in published:
        raise ValueError(f"{say.ADDRESS_LABEL} is host, but port {port.number} is not published to other machines")
    return Endpoint(host, published[port.number])


def _basename(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
