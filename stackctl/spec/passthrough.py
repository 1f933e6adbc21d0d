"""What `compose:` may hold: any key of a Compose service but stackctl's own.

What stackctl looks into has Compose's form here already; everything else is Compose's to refuse.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from stackctl.planning.published import ports_of
from stackctl.spec import scalars
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, KeyPath, Wrong, shown

# Keys of a Compose service that stackctl writes, and what to say instead.
OWN_KEYS = {
    ("image",): "say `image` outside of `compose`",
    ("build",): "say `build` outside of `compose`",
    ("container_name",): "stackctl names containers <stack>-<service>-<number>",
    ("networks",): "stackctl puts every service on the stack's network",
    ("network_mode",): "stackctl puts every service on the stack's network",
    ("scale",): "say `replicas` outside of `compose`",
    ("deploy", "replicas"): "say `replicas` outside of `compose`",
    ("stop_grace_period",): "say `stop_grace` outside of `compose`",
    ("configs",): "mount a file of your own: `volumes: [./file:/path:ro]`",
}
# Those that it writes for some services.
RESOLVER = {("dns",): "with `registry.consul.dns` containers ask the stack's own agent"}
HEARTBEAT = {
    ("environment", "HEARTBEAT_SERVICE"): "with `register: self` the label `SERVICE_NAME` says it",
    ("environment", "HEARTBEAT_PORT"): "with `register: self` the service's `port` says it",
    ("environment", "HEARTBEAT_WEIGHT"): "with `register: self` the service's `weight` says it",
}


@dataclass(frozen=True, slots=True)
class Form:
    """The kinds of value that a key may hold, and the kinds of a list's items."""

    kinds: tuple[type, ...]
    items: tuple[type, ...] = (str,)


_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "a mapping"}
# Of the keys that stackctl reads, or adds something to.
FORMS: Mapping[tuple[str, ...], Form] = {
    ("labels",): Form((list, dict)),
    ("environment",): Form((list, dict)),
    ("env_file",): Form((str, list), (str, dict)),
    ("volumes",): Form((list,), (str, dict)),
    ("ports",): Form((list,), (int, str, dict)),
    ("deploy",): Form((dict,)),
    **{("deploy", key): Form((dict,)) for key in ("placement", "restart_policy", "rollback_config", "update_config")},
}


def misused(document: Document) -> Iterator[Finding]:
    """Each key of a `compose:` that is stackctl's own, or that Compose would not understand."""
    for service in document.mapping("services"):
        path = ("services", service, "compose")
        yield from _own(document, service)
        for key, form in FORMS.items():
            yield from _misshapen((*path, *key), document.get(*path, *key), form)
        yield from _no_ports((*path, "ports"), document.get(*path, "ports"))
        yield from _no_paths((*path, "env_file"), document.get(*path, "env_file"), "path")
        yield from _no_paths((*path, "volumes"), document.get(*path, "volumes"), "source")


def _own(document: Document, service: str) -> Iterator[Finding]:
    path = ("services", service, "compose")
    himself = document.get("services", service, "register") == "self"
    keys = OWN_KEYS | (RESOLVER if _resolves(document) else {}) | (HEARTBEAT if himself else {})
    for (*parent, own), hint in keys.items():
        for step, name in _named(document.get(*path, *parent)):
            if name == own:
                message = f"stackctl writes `{'.'.join((*parent, own))}` itself"
                at: Literal["key", "value"] = "key" if step == own else "value"
                yield Finding((*path, *parent, step), message, hint, at=at)
    for step, label in _named(document.get(*path, "labels")):
        if label.startswith("stackctl."):
            yield Finding((*path, "labels", step), "labels that begin with `stackctl.` are stackctl's own", at="key")


def _resolves(document: Document) -> bool:
    with contextlib.suppress(Wrong):  # the schema says so
        return bool(scalars.dns(document.get("registry", "consul", "dns", default=False)))
    return False


def _named(value: object) -> Iterator[tuple[str | int, str]]:
    """Each name in a mapping or in a list of `name=value`, and before it the step of a path that leads to it."""
    if isinstance(value, dict):
        yield from ((key, key) for key in value)
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield index, str(item).partition("=")[0]


def _misshapen(path: KeyPath, value: object, form: Form) -> Iterator[Finding]:
    if value is None:
        return
    if type(value) not in form.kinds:
        yield Finding(path, f"{_either(form.kinds)} is wanted, got {shown(value)}")
    for index, item in enumerate(value if isinstance(value, list) and list in form.kinds else ()):
        if type(item) not in form.items:
            yield Finding((*path, index), f"{_either(form.items)} is wanted, got {shown(item)}")


def _either(kinds: tuple[type, ...]) -> str:
    *others, last = (_KINDS[kind] for kind in kinds)
    return f"{', '.join(others)} or {last}" if others else last


def _no_ports(path: KeyPath, listed: object) -> Iterator[Finding]:
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        try:
            ports_of(item)
        except ValueError as error:
            yield Finding((*path, index), str(error), "as in 8080:80, 127.0.0.1:8080:80 or 8080-8082:80-82")


def _no_paths(path: KeyPath, value: object, key: str) -> Iterator[Finding]:
    """Texts that can't lead to anything on this machine: the value, its items, and what items have under `key`."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            inner = isinstance(item, dict)
            yield from _no_paths(
                (*path, index, key) if inner else (*path, index), item.get(key) if inner else item, key
            )
    elif isinstance(value, str):
        try:
            scalars.folder(value)
        except Wrong as wrong:
            yield Finding(path, wrong.message)
