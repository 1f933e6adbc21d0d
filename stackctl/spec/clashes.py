"""Two that want the same route or the same port of this machine: the second one is told who the first is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from stackctl.domain.balancer import ALIVE
from stackctl.planning.published import ports_of
from stackctl.spec import scalars
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, KeyPath, Place, Wrong, dotted

LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Claim:
    """Something only one can have, and the key that asks for it; an address narrows a port down, and one of `several`
    will do as well."""

    what: str
    path: KeyPath
    address: str = ""
    several: bool = False

    def clashes(self, other: Claim) -> bool:
        """Whether both want the same thing, and each this very one."""
        same = self.what == other.what and _overlap(self.address, other.address)
        return same and not (self.several and other.several)


def _overlap(one: str, other: str) -> bool:
    """Whether two addresses, or all of them where none is said, have one in common."""
    if not one or not other or one == other:
        return True
    first, second = ip_address(one), ip_address(other)
    return first.version == second.version and (first.is_unspecified or second.is_unspecified)


def clashes(document: Document) -> Iterator[Finding]:
    """Each claim that an earlier one has taken; a default that nobody wrote counts as the earliest."""
    span = _span(document)
    for path, first in _entries(document):
        if first + span - 1 > LAST_PORT:
            yield Finding(path, beyond(first, span), "choose a lower one")
    claims: dict[str, list[Claim]] = {}
    for claim in sorted(_claims(document), key=lambda c: document.values.get(c.path, Place(0, 0))):
        earlier = claims.setdefault(claim.what, [])
        taken = next((other for other in earlier if claim.clashes(other)), None)
        if taken:
            yield Finding(claim.path, f"{claim.what} is taken by {dotted(taken.path)}")
        else:
            earlier.append(claim)


def beyond(first: int, span: int) -> str:
    """What is wrong where so many ports in a row are more than there are."""
    return f"{span} balancers take {span} ports from {first} on, and the last one is {LAST_PORT}"


def _claims(document: Document) -> Iterator[Claim]:
    span = _span(document)
    for path, first in _entries(document):
        yield from _ports(path, range(first, first + span))
    for port in _number(document.get("registry", "consul", "ui")):
        yield from _ports(("registry", "consul", "ui"), range(port, port + 1), "127.0.0.1")
    if document.get("engine") == "hosts":
        path = ("registry", "consul", "port")
        for port in _number(document.get(*path, default=8300)):
            yield from _ports(path, range(port, port + 2))
    if str(document.get("balancer", "stub_status")).lower() == "true":
        yield Claim("the path /stub_status", ("balancer", "stub_status"))
    if document.get("balancer", "virtual_address"):
        yield Claim(f"the path {ALIVE}", ("balancer", "virtual_address"))
    domain = document.get("balancer", "domain", default="localhost")
    for room in ("services", "external"):
        for name in document.mapping(room):
            yield from _route((room, name, "route"), document.get(room, name, "route"), f"{name}.{domain}")
    for name in document.mapping("services"):
        ports = document.get("services", name, "compose", "ports")
        for index, port in enumerate(ports if isinstance(ports, list) else ()):
            yield from _published(("services", name, "compose", "ports", index), port)


def _span(document: Document) -> int:
    """How many ports each entry takes: every balancer has one of its own, on one machine."""
    if document.get("engine", default="compose") != "compose":
        return 1
    try:
        return scalars.whole(document.get("balancer", "replicas", default=1), 1, 100)
    except Wrong:
        return 1


def _entries(document: Document) -> Iterator[tuple[KeyPath, int]]:
    """The first port of each entry, and its key."""
    extra = document.get("balancer", "tcp")
    asked: list[tuple[KeyPath, object]] = [
        (("balancer", "http"), document.get("balancer", "http", default=80)),
        *((("balancer", key), document.get("balancer", key)) for key in ("https", "tls")),
        *((("balancer", "tcp", index), port) for index, port in enumerate(extra if isinstance(extra, list) else ())),
    ]
    for path, value in asked:
        yield from ((path, port) for port in _number(value))
    for room in ("services", "external"):
        for name in document.mapping(room):
            with contextlib.suppress(Wrong):
                route = scalars.route(document.get(room, name, "route"))
                if route.kind == "tcp":
                    yield (room, name, "route"), route.port


def _number(value: object) -> Iterator[int]:
    """The port; nothing where it is none, which the schema says."""
    with contextlib.suppress(Wrong):
        yield scalars.whole(value, 1, LAST_PORT)


def _ports(
    path: KeyPath, ports: range, address: str = "", protocol: str = "tcp", *, several: bool = False
) -> Iterator[Claim]:
    suffix = "" if protocol == "tcp" else f"/{protocol}"
    for port in ports:
        yield Claim(f"port {port}{suffix}", path, address, several)


def _route(path: KeyPath, value: object, own_host: str) -> Iterator[Claim]:
    try:
        route = scalars.route(value)
    except Wrong:
        return
    match route.kind:
        case "path":
            yield Claim(f"the path {route.path}", path)
        case "host":
            yield Claim(f"the host {route.host or own_host}", path)
        case "tls":
            yield Claim(f"the TLS name {route.host}", path)


def _published(path: KeyPath, value: object) -> Iterator[Claim]:
    with contextlib.suppress(ValueError):  # it is said where it is no port
        own = ports_of(value)
        yield from _ports(path, own.host, own.address, own.protocol, several=len(own.host) > len(own.target))
