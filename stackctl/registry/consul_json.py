"""Consul's JSON as domain values, and back. What Consul says is somebody else's text: only typed values pass."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from stackctl.domain.catalog import (
    INSTANCE_META,
    MAINTENANCE_CHECK,
    OWNER_META,
    WEIGHT_META,
    Catalog,
    CatalogEntry,
    Registration,
    RegistryCheck,
    SetAside,
)
from stackctl.domain.instance import SAFE_ID, Endpoint

# Consul does not tell how it checks a service, so that is written beside it.
CHECK_META = "stackctl-check"
OWN_META = frozenset({OWNER_META, INSTANCE_META, CHECK_META})
NODE_MAINTENANCE = "_node_maintenance"
# Checks that leave words about each result; a script need not.
TALKING = frozenset({"http", "tcp", "grpc", "ttl"})
MAX_WEIGHT = 256
MAX_REASON = 200
# Stands for an address that is none: the registration still holds its id.
NOWHERE = Endpoint("0.0.0.0", 1)

Json = Mapping[str, Any]


def next_index(previous: int, header: str | None) -> int:
    """The index for the next blocking query: from the start where Consul's went backwards, and never 0 else, because
    a query with 0 would not block."""
    index = int(header) if header and header.isdecimal() else 0
    return 0 if index < previous else max(index, 1)


def catalog(service: str, answer: Any, index: int) -> Catalog:
    """The answer of /v1/health/service; raises KeyError, TypeError or AttributeError where it is something else."""
    entries: list[CatalogEntry] = []
    set_aside: list[SetAside] = []
    for raw in answer:
        try:
            entries.append(_entry(service, raw))
        except ValueError as problem:
            id = str(raw["Service"]["ID"])
            safe = id if SAFE_ID.match(id) else ascii(id)
            holder, passing = str(raw["Node"].get("Node", "")), not _failing(raw)
            set_aside.append(SetAside(safe, service, str(problem), passing, id, holder))
    return Catalog(service, tuple(entries), tuple(set_aside), index)


def _entry(service: str, raw: Json) -> CatalogEntry:
    own: Json = raw["Service"]
    meta: Mapping[str, str] = own.get("Meta") or {}
    checks: list[Json] = raw.get("Checks") or []
    marks = [check for check in checks if _is_mark(check)]
    real = [check for check in checks if not _is_mark(check)]
    failing = _failing(raw)
    registration = own["ID"]
    return CatalogEntry(
        id=_safe(meta.get(INSTANCE_META) or registration),
        service=service,
        endpoint=Endpoint(own.get("Address") or raw["Node"]["Address"], own["Port"]),
        registration=_safe(registration),
        owner=meta.get(OWNER_META, ""),
        passing=not failing,
        unasked=bool(failing) and all(_is_unasked(check) for check in failing),
        node_alive=all(check["Status"] == "passing" for check in real if not check.get("ServiceID")),
        draining=bool(marks),
        drain_reason=next((str(mark.get("Notes") or "")[:MAX_REASON] for mark in marks), ""),
        weight=_weight(meta.get(WEIGHT_META, (own.get("Weights") or {}).get("Passing", 1))),
        tags=tuple(own.get("Tags") or ()),
        meta=tuple(sorted((key, value) for key, value in meta.items() if key not in OWN_META)),
        holder=str(raw["Node"].get("Node", "")),
    )


def _failing(raw: Json) -> list[Json]:
    """The service's own checks that do not pass."""
    checks: list[Json] = raw.get("Checks") or []
    return [c for c in checks if not _is_mark(c) and c.get("ServiceID") and c["Status"] != "passing"]


def _is_mark(check: Json) -> bool:
    return check["CheckID"] == NODE_MAINTENANCE or str(check["CheckID"]).startswith(MAINTENANCE_CHECK)


def _is_unasked(check: Json) -> bool:
    # An agent that is started again calls all checks critical that it finds on its disk, and has no result of theirs.
    return check["Status"] == "critical" and check.get("Type") in TALKING and not check.get("Output")


def _safe(id: str) -> str:
    if not SAFE_ID.match(id):
        raise ValueError(f"the id {id!r} holds a character that is not allowed, or is too long")
    return id


def _weight(value: str | int) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", str(value)) or not 1 <= int(value) <= MAX_WEIGHT:
        raise ValueError(f"the weight {value!r} is not a whole number from 1 to {MAX_WEIGHT}")
    return int(value)


def values(answer: Any) -> tuple[tuple[str, str], ...]:
    """The answer of /v1/kv; raises like `catalog`."""
    found: dict[str, str] = {}
    for raw in answer:
        with contextlib.suppress(ValueError):  # bytes that are no text
            found[str(raw["Key"])] = base64.b64decode(raw["Value"] or "").decode()
    return tuple(sorted(found.items()))


def registrations(answer: Any) -> tuple[Registration, ...]:
    """The answer of /v1/agent/services; raises like `catalog`."""
    return tuple(_registration(answer[id]) for id in sorted(answer))


def agreed(held: Iterable[Registration], known: Iterable[Registration]) -> tuple[Registration, ...]:
    """What an agent holds (`held`) as far as the servers know it too (`known`).

    An agent passes on what it was told; where that failed it tries again 15 s later at the earliest, and meanwhile only
    the servers count. What only they have is told as leading nowhere: nobody stands for it, and whoever wants it has
    to write it again.
    """
    own = {registration.id: registration for registration in held}
    return tuple(r if r.id in own else replace(r, endpoint=NOWHERE) for r in known)


def _registration(raw: Json) -> Registration:
    meta: dict[str, str] = dict(raw.get("Meta") or {})
    try:
        endpoint = Endpoint(raw.get("Address") or "", raw["Port"])
    except ValueError:
        endpoint = NOWHERE
    return Registration(
        id=raw["ID"],
        service=raw["Service"],
        endpoint=endpoint,
        owner=meta.pop(OWNER_META, ""),
        instance=meta.pop(INSTANCE_META, ""),
        check=_check(meta.pop(CHECK_META, "")),
        tags=tuple(raw.get("Tags") or ()),
        meta=tuple(sorted(meta.items())),
    )


def _check(text: str) -> RegistryCheck | None:
    try:
        return RegistryCheck(**{"http": "", "tcp": "", **json.loads(text)})
    except (TypeError, ValueError):
        return None


def service(registration: Registration) -> dict[str, Any]:
    """The body that /v1/agent/service/register takes."""
    own = {OWNER_META: registration.owner, INSTANCE_META: registration.instance}
    meta = dict(registration.meta) | {key: value for key, value in own.items() if value}
    body: dict[str, Any] = {
        "ID": registration.id,
        "Name": registration.service,
        "Address": registration.endpoint.address,
        "Port": registration.endpoint.port,
        "Tags": list(registration.tags),
        "Meta": meta,
        "Weights": {"Passing": int(meta.get(WEIGHT_META, "1")), "Warning": 1},
        "EnableTagOverride": False,
    }
    if check := registration.check:
        meta[CHECK_META] = _written(check)
        body["Check"] = {"Name": f"stackctl asks {registration.instance or registration.id}", **_consul_check(check)}
    return body


def _written(check: RegistryCheck) -> str:
    """As short as can be, because Consul takes 512 bytes: what is as always is left out."""
    said = {f.name: getattr(check, f.name) for f in fields(check) if getattr(check, f.name) not in ("", f.default)}
    return json.dumps(said, separators=(",", ":"))


def _consul_check(check: RegistryCheck) -> dict[str, Any]:
    """A check as developer.hashicorp.com/consul/api-docs/agent/check describes it."""
    ways: dict[str, Any] = {
        "HTTP": check.http,
        "Method": check.method,
        "TCP": check.tcp,
        "GRPC": check.grpc,
        "GRPCUseTLS": check.tls,
        "TLSSkipVerify": check.skip_verify,
        # One word for a shell, because people write pipes.
        "Args": ["/bin/sh", "-c", check.script] if check.script else [],
        "TTL": _duration(check.ttl) if check.ttl else "",
    }
    # Consul refuses an interval where somebody else reports.
    times = {} if check.ttl else {"Interval": _duration(check.interval), "Timeout": _duration(check.timeout)}
    return {
        **{key: value for key, value in ways.items() if value},
        **times,
        "DeregisterCriticalServiceAfter": _duration(check.deregister_after),
        # Who writes this has just been answered; the first check comes an interval later.
        "Status": check.status,
    }


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
