"""What no single key can tell: keys that exclude each other or are stackctl's own, names too long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from stackctl.domain.route import IN_USE
from stackctl.spec import scalars
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, KeyPath, Wrong, shown

# What a host's name may be long, hence a container's.
LONGEST_NAME = 63


def inconsistent(document: Document, folder: Path) -> Iterator[Finding]:
    """Whatever in the document contradicts itself, or the folder that it stands in."""
    yield from _registry(document)
    yield from _entry_ports(document)
    yield from _external(document)
    if document.get("services") == {}:
        yield Finding(("services",), "at least one service is wanted")
    for name in document.mapping("services"):
        yield from _name(document, name)
        if isinstance(document.get("services", name), dict):
            yield from _image(document, name, folder)
            yield from _registered(document, name)


def _registry(document: Document) -> Iterator[Finding]:
    kinds = [key for key in ("consul", "redis", "static") if key in document.mapping("registry")]
    kinds.sort(key=lambda kind: document.keys["registry", kind])
    for kind in kinds[1:]:
        yield Finding(("registry", kind), f"`{kinds[0]}` is here already: one registry is wanted", at="key")
    if document.get("registry") == {}:
        yield Finding(("registry",), "consul, redis or static is wanted")


def _entry_ports(document: Document) -> Iterator[Finding]:
    """A tcp port is the same inside the balancer's container, where some are in use already."""
    listed = document.get("balancer", "tcp")
    wanted: list[tuple[KeyPath, object]] = [
        (("balancer", "tcp", index), f"tcp:{port}")
        for index, port in enumerate(listed if isinstance(listed, list) else ())
    ]
    for room in ("services", "external"):
        for name in document.mapping(room):
            route = document.get(room, name, "route")
            if isinstance(route, str) and route.startswith("tcp:"):
                wanted.append(((room, name, "route"), route))
            if isinstance(route, str) and route.startswith("tls:") and document.get("balancer", "tls") is None:
                yield Finding((room, name, "route"), "TLS is passed on at a port of its own", "add `balancer.tls`")
    files = document.get("balancer", "files")
    called = [item.get("dest") for item in files if isinstance(item, dict)] if isinstance(files, list) else []
    for index, dest in enumerate(called):
        if dest in called[:index]:
            yield Finding(("balancer", "files", index, "dest"), f"another file is called {shown(dest)}")
    for path, route in wanted:
        with contextlib.suppress(Wrong):  # no port: the schema says so
            port = scalars.route(route).port
            if port in IN_USE:
                yield Finding(path, f"port {port} is used inside the balancer's own container", "choose another one")


def _external(document: Document) -> Iterator[Finding]:
    for name in document.mapping("external"):
        if document.get("external", name, "endpoints") == []:
            yield Finding(("external", name, "endpoints"), "at least one endpoint is wanted")
        if name in document.mapping("services"):
            yield Finding(("external", name), "a service has this name already", "choose another one", at="key")
    if document.mapping("external") and "static" in document.mapping("registry"):
        yield Finding(("external",), "nobody can register in a fixed list", "use a registry", at="key")
    for name in document.mapping("external"):
        yield from _unasked(document, ("external", name), "an external endpoint")


def _name(document: Document, service: str) -> Iterator[Finding]:
    stack = document.get("name")
    host = max(document.mapping("hosts"), key=len, default="")  # in the names of what runs on several
    longest = "-".join(filter(None, (str(stack), host, service, "1000")))
    if isinstance(stack, str) and len(stack) <= 40 and len(longest) > LONGEST_NAME:
        message = f"container names would have up to {len(longest)} characters, the limit is {LONGEST_NAME}"
        yield Finding(("services", service), message, "shorten the stack's or the service's name", at="key")


def _image(document: Document, service: str, folder: Path) -> Iterator[Finding]:
    path = ("services", service)
    given = document.mapping(*path)
    if "image" not in given and "build" not in given:
        yield Finding((*path, "image"), "`image` or `build` is required")
    elif "image" in given and "build" in given:
        first, second = sorted(("image", "build"), key=lambda key: document.keys[(*path, key)])
        yield Finding((*path, second), f"`{first}` is here already: one of the two is wanted", at="key")
    build = given.get("build")
    if isinstance(build, str) and build.isprintable():
        try:
            found = (folder / build / "Dockerfile").is_file()
        except OSError:
            found = False
        if not found:
            yield Finding((*path, "build"), f"there is no Dockerfile in {shown(build)}", "seen from the spec's folder")


def _registered(document: Document, service: str) -> Iterator[Finding]:
    given = document.mapping("services", service)
    who = given.get("register", "registrator")
    static = "static" in document.mapping("registry")
    if who == "none" and given.get("route") is not None:
        hint = "leave `register` out, or `route`"
        yield Finding(("services", service, "register"), "no route can lead to what nobody registers", hint)
    if static and who not in ("registrator", "none"):
        yield Finding(("services", service, "register"), "nobody can register in a fixed list", "use a registry")
    if static and given.get("address", "container") == "host":
        yield Finding(("services", service, "address"), "a fixed list names containers", "leave `address` out")
    if who == "api":
        yield from _unasked(document, ("services", service), "what is registered by API")


def _unasked(document: Document, path: tuple[str, str], what: str) -> Iterator[Finding]:
    """Redis itself checks nothing, and no agent stands beside what stackctl has merely written there."""
    if "redis" in document.mapping("registry") and "check" in document.mapping(*path):
        yield Finding((*path, "check"), f"nobody checks {what} in Redis", "leave `check` out, or use Consul", at="key")
