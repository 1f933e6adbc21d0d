"""Two that want the same route or the same port of this machine: the second one is told who the first is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.domain.balancer import ALIVE
from stackctl.spec import scalars
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, KeyPath, Place, Wrong, dotted

# Compose's short form of a published port: [address:]published:target[/protocol]
_PUBLISHED = re.compile(r"(?:([0-9.]+|\[[0-9a-fA-F:]+\]):)?([0-9]{1,5}):[0-9]{1,5}(?:/(tcp|udp))?")


@dataclass(frozen=True, slots=True)
class Claim:
    """Something only one can have, and the key that asks for it; an address narrows a port down."""

    what: str
    path: KeyPath
    address: str = ""

    def clashes(self, other: Claim) -> bool:
        """Whether both want the same thing; a port without an address is that port of every address."""
        same_address = not self.address or not other.address or self.address == other.address
        return self.what == other.what and same_address


def clashes(document: Document) -> Iterator[Finding]:
    """Each claim that an earlier one has taken; a default that nobody wrote counts as the earliest."""
    claims: dict[str, list[Claim]] = {}
    for claim in sorted(_claims(document), key=lambda c: document.values.get(c.path, Place(0, 0))):
        earlier = claims.setdefault(claim.what, [])
        taken = next((other for other in earlier if claim.clashes(other)), None)
        if taken:
            yield Finding(claim.path, f"{claim.what} is taken by {dotted(taken.path)}")
        else:
            earlier.append(claim)


def _claims(document: Document) -> Iterator[Claim]:
    span = _span(document)
    yield from _ports(("balancer", "http"), document.get("balancer", "http", default=80), span)
    yield from _port(("registry", "consul", "ui"), document.get("registry", "consul", "ui"), "127.0.0.1")
    if document.get("engine") == "hosts":
        path = ("registry", "consul", "port")
        first = document.get(*path, default=8300)
        yield from _ports(path, first, 2)
    for key in ("https", "tls"):
        yield from _ports(("balancer", key), document.get("balancer", key), span)
    extra = document.get("balancer", "tcp")
    for index, port in enumerate(extra if isinstance(extra, list) else ()):
        yield from _ports(("balancer", "tcp", index), port, span)
    if str(document.get("balancer", "stub_status")).lower() == "true":
        yield Claim("the path /stub_status", ("balancer", "stub_status"))
    if document.get("balancer", "virtual_address"):
        yield Claim(f"the path {ALIVE}", ("balancer", "virtual_address"))
    domain = document.get("balancer", "domain", default="localhost")
    for room in ("services", "external"):
        for name in document.mapping(room):
            yield from _route((room, name, "route"), document.get(room, name, "route"), f"{name}.{domain}", span)
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


def _ports(path: KeyPath, value: object, span: int) -> Iterator[Claim]:
    """A port and those after it, one a balancer."""
    try:
        first = scalars.whole(value, 1, 65535)
    except Wrong:
        return
    for port in range(first, first + span):
        yield from _port(path, port)


def _port(path: KeyPath, value: object, address: str = "", protocol: str = "tcp") -> Iterator[Claim]:
    try:
        port = scalars.whole(value, 1, 65535)
    except Wrong:
        # No port: the schema has said so where it should be one.
        return
    suffix = "/udp" if protocol == "udp" else ""
    yield Claim(f"port {port}{suffix}", path, "" if address == "0.0.0.0" else address)


def _route(path: KeyPath, value: object, own_host: str, span: int) -> Iterator[Claim]:
    try:
        route = scalars.route(value)
    except Wrong:
        return
    match route.kind:
        case "path":
            yield Claim(f"the path {route.path}", path)
        case "host":
            yield Claim(f"the host {route.host or own_host}", path)
        case "tcp":
            yield from _ports(path, route.port, span)
        case "tls":
            yield Claim(f"the TLS name {route.host}", path)


def _published(path: KeyPath, value: object) -> Iterator[Claim]:
    if isinstance(value, dict):
        address, protocol = str(value.get("host_ip") or ""), str(value.get("protocol") or "tcp")
        yield from _port(path, value.get("published"), address, protocol)
    elif isinstance(value, str) and (match := _PUBLISHED.fullmatch(value)):
        yield from _port(path, match[2], match[1] or "", match[3] or "tcp")
