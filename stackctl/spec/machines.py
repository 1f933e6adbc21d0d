"""What a spec says of machines: `hosts`, `on`, and what cannot be spread over several of them."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.spec import scalars
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, Wrong, suggestion

NO_VIRTUAL_ADDRESS = {
    "compose": ("on one machine there is nobody to pass it to", "leave it out, or use the engine hosts"),
    "swarm": (
        "not in a Swarm: keepalived has to know every node's address, and nodes come and go",
        "give DNS the addresses of the nodes that have a balancer",
    ),
}


def machine_findings(document: Document) -> Iterator[Finding]:
    """Whatever contradicts itself about machines. `hosts` beside another engine are there for `up --engine hosts`."""
    hosts = document.mapping("hosts")
    yield from _ways(document)
    yield from _places(document, hosts)
    yield from _shared(document, hosts)
    if document.get("engine") != "hosts":
        return
    if not hosts:
        hint = "as in `hosts: {one: {context: one}, two: {url: ssh://me@two}}`"
        yield Finding(("engine",), "the engine `hosts` needs machines: `hosts` lists them", hint)
        return
    yield from _parts(document, len(hosts))
    for name in document.mapping("services"):
        if document.get("services", name, "register") == "self":
            message = "an instance does not know on which port of its machine others reach it"
            yield Finding(("services", name, "register"), message, "leave `register` out")


def _ways(document: Document) -> Iterator[Finding]:
    """One way to each engine, and an engine of its own for each host."""
    known: dict[tuple[str, str], str] = {}
    for name in document.mapping("hosts"):
        ways = [key for key in ("context", "url") if key in document.mapping("hosts", name)]
        if len(ways) != 1:
            message = "one of `context` and `url` is wanted" if ways else "`context` or `url` is required"
            yield Finding(("hosts", name), message, "how its engine is reached", at="key")
            continue
        way = (ways[0], str(document.get("hosts", name, ways[0])))  # the schema says so where it is no text
        if other := known.get(way):
            yield Finding(("hosts", name, ways[0]), f"it is the engine of {other} already")
        known.setdefault(way, name)


def _places(document: Document, hosts: dict[str, object]) -> Iterator[Finding]:
    for service in document.mapping("services"):
        on = document.get("services", service, "on")
        if on == []:
            yield Finding(("services", service, "on"), "at least one host is wanted", "leave `on` out for all of them")
        for index, name in enumerate(on if isinstance(on, list) else ()):
            path = ("services", service, "on", index)
            if str(name) not in hosts:
                near = suggestion(str(name), hosts) or f"hosts: {', '.join(hosts) or 'none'}"
                yield Finding(path, f"there is no host {name!r}", near)
            elif name in on[:index]:
                yield Finding(path, f"{name} is listed twice")


def _shared(document: Document, hosts: dict[str, object]) -> Iterator[Finding]:
    """A virtual address needs machines that can pass it on, and is none of their own."""
    path, engine = ("balancer", "virtual_address"), document.get("engine", default="compose")
    address = document.get(*path)
    if address is None:
        return
    if refusal := NO_VIRTUAL_ADDRESS.get(str(engine)):
        yield Finding(path, *refusal, at="key")
    elif str(document.get("balancer", "replicas", default=1)) == "1":
        yield Finding(path, "with one balancer there is nobody to pass it to", "set `balancer.replicas`", at="key")
    for name in hosts:
        if document.get("hosts", name, "address") == address:
            yield Finding(path, f"it is the address of {name} itself", "choose one that no machine has")


def _parts(document: Document, count: int) -> Iterator[Finding]:
    """The stack's own parts are one a machine."""
    for kind in ("redis", "static"):
        if kind in document.mapping("registry"):
            yield Finding(("registry", kind), "on several hosts the registry is Consul", "use `consul: {}`", at="key")
    numbers = {("registry", "consul", "servers"): ("Consul servers", 3), ("balancer", "replicas"): ("balancers", 1)}
    for path, (what, default) in numbers.items():
        try:
            wanted = scalars.whole(document.get(*path, default=default), 1, 1000)
        except Wrong:
            continue  # the schema says so
        if wanted > count:
            message = f"{wanted} {what} need as many hosts, each one of its own, and there are {count}"
            given = document.get(*path) is not None
            yield Finding(path if given else ("hosts",), message, f"set `{'.'.join(path)}`, or list more hosts")
