"""What a Swarm can't say: found where it is written, so that nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackctl.domain.stack import ConsulRegistry, Stack
from stackctl.planning.published import own_port
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding

# Keys of a Compose service that mean the same in a Swarm.
SAYABLE = frozenset(
    {
        "cap_add",
        "cap_drop",
        "command",
        "deploy",
        "dns",
        "dns_opt",
        "dns_search",
        "entrypoint",
        "env_file",
        "environment",
        "extra_hosts",
        "healthcheck",
        "hostname",
        "init",
        "labels",
        "logging",
        "ports",
        "read_only",
        "stdin_open",
        "stop_signal",
        "sysctls",
        "tmpfs",
        "tty",
        "ulimits",
        "user",
        "volumes",
        "working_dir",
    }
)
HINTS = {
    "depends_on": "an order of starts is none of a node that comes back: let the service wait by itself",
    "restart": "say `deploy: {restart_policy: {condition: …}}`",
    "mem_limit": "say `deploy: {resources: {limits: {memory: …}}}`",
    "cpus": "say `deploy: {resources: {limits: {cpus: …}}}`",
    "mem_reservation": "say `deploy: {resources: {reservations: {memory: …}}}`",
    "privileged": "no task can have the whole node; `cap_add` gives single rights",
    "security_opt": "a Swarm's tasks can't be given any",
}
OWN_DEPLOY = {
    "mode": "stackctl chooses it",
    "endpoint_mode": "stackctl's balancers find instances by their own addresses",
    "labels": "say `labels` outside of `deploy`",
}


def unsayable(document: Document) -> Iterator[Finding]:
    """Each use of something that does not exist in a Swarm, where that is the engine."""
    if document.get("engine") != "swarm":
        return
    yield from _registry(document)
    for name in document.mapping("services"):
        if isinstance(document.get("services", name), dict):
            yield from _placing(document, name)
            yield from _registering(document, name)
            yield from _compose(document, name)


def unsaid(stack: Stack) -> Iterator[str]:
    """What a person should hear: it is left out in a Swarm, where nothing depends on it."""
    if stack.engine != "swarm":
        return
    if isinstance(stack.registry, ConsulRegistry) and stack.registry.ui:
        yield (
            f"registry.consul.ui: port {stack.registry.ui} is not published in a Swarm, because it would be on every "
            "address of every node; `stackctl status` shows the cluster"
        )
    if stack.hosts:
        yield "hosts: a Swarm knows its own nodes, these are not asked"
    for service in stack.services:
        if service.register == "api":
            yield (
                f"services.{service.name}.register: the registrator of each node does it in a Swarm, which makes "
                "instances anew whenever it sees fit: nobody would call then"
            )


def sayable(stack: Stack) -> Stack:
    """The same stack in words that a Swarm's registrators understand."""
    if stack.engine != "swarm":
        return stack
    services = (replace(s, register="registrator") if s.register == "api" else s for s in stack.services)
    return replace(stack, services=tuple(services))


def _registry(document: Document) -> Iterator[Finding]:
    for kind, why in (
        ("redis", "its nodes need addresses that stay, and a Swarm gives every task another one"),
        ("static", "a fixed list names containers, and a Swarm's tasks have other names every time"),
    ):
        if kind in document.mapping("registry"):
            yield Finding(("registry", kind), f"not in a Swarm: {why}", "use Consul", at="key")


def _placing(document: Document, service: str) -> Iterator[Finding]:
    if document.get("services", service, "on") is not None:
        message = "not in a Swarm: it has nodes, and not the `hosts` of the spec"
        hint = "say `compose: {deploy: {placement: {constraints: [node.hostname == …]}}}`"
        yield Finding(("services", service, "on"), message, hint, at="key")


def _registering(document: Document, service: str) -> Iterator[Finding]:
    if document.get("services", service, "register") == "self":
        message = "not in a Swarm: who registers himself can't find the registry's agent of his own node"
        yield Finding(("services", service, "register"), message, "`registrator` does it for him")


def _compose(document: Document, service: str) -> Iterator[Finding]:
    path = ("services", service, "compose")
    for key in document.mapping(*path):
        if key not in SAYABLE and not key.startswith("x-"):
            hint = HINTS.get(key, "leave it out, or use the engine compose")
            yield Finding((*path, key), f"`{key}` can't be said to a Swarm", hint, at="key")
    for key, hint in OWN_DEPLOY.items():
        if key in document.mapping(*path, "deploy"):
            yield Finding((*path, "deploy", key), f"stackctl writes `deploy.{key}` itself", hint, at="key")
    ports = document.get(*path, "ports")
    for index, published in enumerate(ports if isinstance(ports, list) else ()):
        try:
            address = own_port(published).address
        except ValueError as problem:
            yield Finding((*path, "ports", index), f"a Swarm's node publishes port by port: {problem}")
        else:
            if address not in ("", "0.0.0.0"):
                message = f"a Swarm publishes on every address of a node, not on {address} alone"
                yield Finding((*path, "ports", index), message, "leave the address out, or the port")
