"""The registration that the words of `register` ask for, each of them checked before anybody is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from stackctl.domain.catalog import WEIGHT_META, Registration
from stackctl.domain.instance import DNS_LABEL, SAFE_ID, Endpoint
from stackctl.domain.route import ROUTE_META, parse_route
from stackctl.domain.stack import Check
from stackctl.domain.wishes import MAX_META_VALUE, MAX_WEIGHT, TAG, whole
from stackctl.errors import UsageError
from stackctl.planning.registrations import registration
from stackctl.spec import scalars
from stackctl.spec.findings import Wrong

MONTH = 30 * 86400.0
_META_KEY = re.compile(r"(?!consul-|stackctl)[A-Za-z0-9_-]{1,128}\Z")


def asked(
    words: Sequence[str], check: Check, tags: Sequence[str], metas: Sequence[str]
) -> tuple[str | None, Registration]:
    """STACK and the registration that a command line asks for; raises `UsageError` for values that are none."""
    if len(words) not in (3, 4):
        hint = "stackctl register --help"
        raise UsageError("wrong-words", "SERVICE, ID and ADDRESS:PORT are wanted", where=" ".join(words), hint=hint)
    service, id, where = words[-3:]
    try:
        endpoint = Endpoint.parse(where)
    except ValueError:
        message, hint = f"{where!r} is no address and port", "as in 192.0.2.7:8080 or [2001:db8::7]:80"
        raise UsageError("no-endpoint", message, where=f"ADDRESS:PORT {where}", hint=hint) from None
    for argument, word, pattern in (("SERVICE", service, DNS_LABEL), ("ID", id, SAFE_ID)):
        if not pattern.match(word):
            message = f"{word!r} can't be a service's name or an id"
            raise UsageError("no-name", message, where=f"{argument} {word}", hint="letters, digits and hyphens")
    _check(check)
    pairs = dict(map(_meta, metas))
    stack = words[0] if len(words) == 4 else None
    return stack, registration(id, service, endpoint, check, tags=tuple(map(_tag, tags)), meta=pairs)


def _check(check: Check) -> None:
    """Within the bounds that a spec's `check` has."""
    often = partial(scalars.seconds, low=0.1, high=MONTH)
    told: tuple[tuple[str, object, Callable[[object], object]], ...] = (
        ("--check-http", check.path, scalars.url_path),
        ("--interval", check.interval, often),
        ("--check-timeout", check.timeout, often),
        ("--deregister-after", check.deregister_after, partial(scalars.seconds, low=60.0, high=MONTH)),
    )
    for option, value, parse in told:
        try:
            parse(value)
        except Wrong as wrong:
            hint = wrong.hint or "as in 500ms, 1s, 1m30s, 90m"
            raise UsageError("no-check", wrong.message, where=f"{option} {value}", hint=hint) from None


def _tag(word: str) -> str:
    if not TAG.match(word):
        hint = "up to 256 characters, none of them ; { } $"
        raise UsageError("no-tag", f"{word!r} can't be a tag", where=f"--tag {word}", hint=hint)
    return word


def _meta(word: str) -> tuple[str, str]:
    """The key and the value in KEY=VALUE."""
    key, equals, value = word.partition("=")
    try:
        if not equals or not _META_KEY.match(key) or not value.isprintable() or len(value.encode()) > MAX_META_VALUE:
            raise ValueError(f"{word!r} is not KEY=VALUE as the registry takes them")
        if key == ROUTE_META:
            parse_route(value, own_host="")
        if key == WEIGHT_META:
            whole(value, "the weight", MAX_WEIGHT)
    except ValueError as error:
        raise UsageError("no-meta", str(error), where=f"--meta {word}", hint="as in route=/api, weight=5") from None
    return key, value
