"""Which check a container asks the registry for: the label stackctl.check, else SERVICE_CHECK_*, else a connection.

What each setting means is registrator's (github.com/gliderlabs/registrator, docs/user/backends.md); what becomes of it
is a Consul check (developer.hashicorp.com/consul/docs/services/usage/checks).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stackctl.domain.catalog import InitialStatus, RegistryCheck
from stackctl.domain.instance import Endpoint
from stackctl.domain.stack import Check
from stackctl.domain.wishes import CHECK_KINDS, CHECK_LABEL, PREFIX, Wishes, on, seconds

Kind = Literal["http", "https", "script", "ttl", "tcp", "grpc"]
# What needs a connection to the instance says nothing about a UDP port.
CONNECTING = ("http", "https", "tcp", "grpc")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STATUSES: tuple[InitialStatus, ...] = ("passing", "warning", "critical")
# A check is written into metadata as JSON, and Consul takes 512 bytes of it.
MAX_TEXT = 340

_DEFAULT = Check()
_TIMES = ("interval", "timeout", "deregister_after")
_LABEL_KEYS = frozenset({"kind", "path", *_TIMES})
_PATH = re.compile(r"/(?:(?![;{}$])[!-~]){0,300}\Z")
_SCRIPT = re.compile(r"[^\x00-\x1f\x7f]+\Z")
_GRPC_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class CheckWish:
    """A check before the instance's address is put in; times in seconds.

    `word` is, by kind, the path of the request, the script, the gRPC service's name (or nothing), or nothing; `ttl` is
    how long somebody's report to the registry holds.
    """

    kind: Kind = "tcp"
    word: str = ""
    interval: float = _DEFAULT.interval
    timeout: float = _DEFAULT.timeout
    deregister_after: float = _DEFAULT.deregister_after
    ttl: float = 0.0
    method: str = ""
    tls: bool = False
    skip_verify: bool = False
    status: InitialStatus = "passing"


def check_wish(labels: Mapping[str, str], here: Wishes) -> CheckWish:
    """What is asked for; raises ValueError for what can't be understood, or is not safe."""
    if label := labels.get(CHECK_LABEL):
        return _of_label(json.loads(label))
    times = {key: seconds(here[f"check_{key}"]) for key in _TIMES if f"check_{key}" in here}
    return CheckWish(**_way(here), **_times(times), status=_status(here.get("check_initial_status", "passing")))


def registry_check(wish: CheckWish, endpoint: Endpoint, *, udp: bool, scripts: bool) -> RegistryCheck | None:
    """The check of one endpoint; None where the wish needs a connection and the endpoint has none to offer.

    Raises ValueError for a script where they are not allowed, and for a text that is too long.
    """
    if wish.kind == "script" and not scripts:
        raise ValueError("SERVICE_CHECK_SCRIPT runs commands beside Consul; registry.consul.script_checks allows it")
    if udp and wish.kind in CONNECTING:
        return None
    script = wish.word.replace("$SERVICE_IP", endpoint.address).replace("$SERVICE_PORT", str(endpoint.port))
    texts = {
        "http": f"{wish.kind}://{endpoint}{wish.word}" if wish.kind in ("http", "https") else "",
        "tcp": str(endpoint) if wish.kind == "tcp" else "",
        "grpc": f"{endpoint}/{wish.word}".rstrip("/") if wish.kind == "grpc" else "",
        "script": script if wish.kind == "script" else "",
    }
    if max(len(json.dumps(text)) for text in texts.values()) > MAX_TEXT:
        raise ValueError(
            f"SERVICE_CHECK_{wish.kind.upper()} is too long, {MAX_TEXT} characters with all of its escapes"
        )
    return RegistryCheck(
        **texts,
        interval=wish.interval,
        timeout=wish.timeout,
        deregister_after=wish.deregister_after,
        ttl=wish.ttl,
        method=wish.method,
        tls=wish.tls,
        skip_verify=wish.skip_verify,
        status=wish.status,
    )


def _of_label(given: Any) -> CheckWish:
    if not isinstance(given, dict) or not given.keys() <= _LABEL_KEYS:
        raise ValueError(f"{CHECK_LABEL} does not describe a check: {given!r}")
    kind = given.get("kind", "tcp")
    if kind not in ("http", "tcp"):
        raise ValueError(f"the check's kind is {kind!r}, not http or tcp")
    path = _path(str(given.get("path", "/")))
    return CheckWish(kind, path if kind == "http" else "", **_times(given))


def _way(here: Wishes) -> dict[str, Any]:
    """Kind, word and what belongs to the kind, by the first way to check that is set."""
    asked = next((kind for kind in CHECK_KINDS if _set(here, kind)), "check_tcp").removeprefix("check_")
    word = here.get(f"check_{asked}", "")
    skip_verify = on(here, "check_tls_skip_verify")
    match asked:
        case "http" | "https":
            method = _method(here.get(f"check_{asked}_method", ""))
            skip_verify = skip_verify and asked == "https"
            return {"kind": asked, "word": _path(word), "method": method, "skip_verify": skip_verify}
        case "script":
            if not _SCRIPT.match(word):
                raise ValueError("SERVICE_CHECK_SCRIPT is not one line of text")
            return {"kind": "script", "word": word}
        case "ttl":
            return {"kind": "ttl", "ttl": _time(seconds(word))}
        case "grpc":
            tls = on(here, "check_grpc_use_tls")
            return {"kind": "grpc", "word": _grpc_service(word), "tls": tls, "skip_verify": tls and skip_verify}
    return {"kind": "tcp"}


def _status(text: str) -> InitialStatus:
    for status in STATUSES:
        if status == text.strip().lower():
            return status
    raise ValueError(f"SERVICE_CHECK_INITIAL_STATUS is {text!r}, not one of {', '.join(STATUSES)}")


def _set(here: Wishes, kind: str) -> bool:
    return on(here, kind) if kind in ("check_tcp", "check_grpc") else kind in here


def _path(path: str) -> str:
    if not _PATH.match(path):
        raise ValueError(f"the check's path {path!r} is not a slash and plain characters")
    return path


def _method(text: str) -> str:
    method = text.strip().upper()
    if method and method not in METHODS:
        raise ValueError(f"{PREFIX}CHECK_HTTP_METHOD or HTTPS_METHOD is {text!r}, not one of {', '.join(METHODS)}")
    return "" if method == "GET" else method


def _grpc_service(text: str) -> str:
    if text.strip().lower() in ("1", "true", "yes", "on"):
        return ""
    if not _GRPC_SERVICE.match(text):
        raise ValueError(f"SERVICE_CHECK_GRPC is {text!r}, neither true nor a service's name")
    return text


def _times(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _time(given[key]) for key in _TIMES if key in given}


def _time(given: object) -> float:
    if not isinstance(given, int | float) or not math.isfinite(given) or not 0.001 <= given <= 1e7:
        raise ValueError(f"the check's time {given!r} is not a number of seconds")
    return round(float(given), 3)
