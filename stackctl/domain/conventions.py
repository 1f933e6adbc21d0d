"""Which registrations a container asks for: by stackctl's labels, and by registrator's SERVICE_* conventions.

Labels beat the environment, what names a port beats what does not, `stackctl.*` labels beat SERVICE_*.
Nothing is guessed: a value that could not be registered safely sets its container aside, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.domain import wishes as say
from stackctl.domain.catalog import Registration, RegistryCheck
from stackctl.domain.container import Container
from stackctl.domain.instance import DNS_LABEL, SAFE_ID, Endpoint
from stackctl.domain.stack import Check

_ASKS = re.compile(r"(\d+_)?(name|tags|id)\Z")


@dataclass(frozen=True, slots=True)
class Scope:
    """For which stack an agent registers, on which network, and as whom; `host` is the host's address."""

    stack: str
    network: str
    owner: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What an instance is asked first: a GET of `path`, or where that is empty, a connection."""

    endpoint: Endpoint
    path: str = ""
    timeout: float = 1.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A registration that a container asks for, and the question that comes first."""

    registration: Registration
    question: Question


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
    try:
        ports = _ports(container)
        heard = [port for port in ports if not say.ignored(say.of_port(wishes, port))]
        return Claims(tuple(_claim(container, scope, wishes, port, len(ports) > 1) for port in heard))
    except ValueError as problem:
        return Claims(problem=str(problem))


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
        return say.STACK_LABEL in labels and labels[say.REGISTER_LABEL] == "registrator"
    return any(_ASKS.match(wish) for wish in wishes)


def _ports(container: Container) -> tuple[int, ...]:
    if label := container.labels.get(say.PORT_LABEL):
        return (say.whole(label, say.PORT_LABEL, 65535),)
    ports = container.published if _by_host(container.labels) else container.ports
    if not ports:
        raise ValueError(f"it exposes no tcp port; name one with EXPOSE or the label {say.PORT_LABEL}")
    return tuple(sorted(ports))


def _claim(container: Container, scope: Scope, wishes: say.Wishes, port: int, several: bool) -> Claim:
    here = say.of_port(wishes, port)
    default = container.labels.get(say.SERVICE_LABEL) or _basename(container.image)
    name = _named(wishes, "name", default, port, several)
    id = _named(wishes, "id", container.name, port, several)
    if not DNS_LABEL.match(name):
        raise ValueError(f"the service's name {name!r} is not a DNS label; set SERVICE_NAME")
    for word in (id, container.name):
        if not SAFE_ID.match(word):
            raise ValueError(f"the id {word!r} holds a character that is not allowed, or is too long")
    inside = Endpoint(container.networks[scope.network], port)
    endpoint = _on_host(container, scope, port) if _by_host(container.labels) else inside
    check = say.check(container.labels, here)
    registration = Registration(
        id=id,
        service=name,
        endpoint=endpoint,
        instance=container.name,
        owner=scope.owner,
        tags=say.tags(here),
        meta=say.meta(container.labels, here),
        check=_registry_check(check, endpoint),
    )
    return Claim(registration, Question(inside, check.path if check.kind == "http" else "", check.timeout))


def _registry_check(check: Check, endpoint: Endpoint) -> RegistryCheck:
    http = f"http://{endpoint}{check.path}" if check.kind == "http" else ""
    tcp = str(endpoint) if check.kind == "tcp" else ""
    return RegistryCheck(http, tcp, check.interval, check.timeout, check.deregister_after)


def _by_host(labels: Mapping[str, str]) -> bool:
    address = labels.get(say.ADDRESS_LABEL, "container")
    if address not in ("container", "host"):
        raise ValueError(f"{say.ADDRESS_LABEL} is {address!r}, not container or host")
    return address == "host"


def _on_host(container: Container, scope: Scope, port: int) -> Endpoint:
    if not scope.host:
        raise ValueError(f"{say.ADDRESS_LABEL} is host, but the registrator was not told the host's address")
    if port not in container.published:
        raise ValueError(f"{say.ADDRESS_LABEL} is host, but port {port} is not published")
    return Endpoint(scope.host, container.published[port])


def _basename(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
