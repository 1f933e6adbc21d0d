"""Keys and values in Redis as domain values, and back. What stands there is anybody's text: only typed values pass.

    <prefix>/<service>/ips/<member>        ip:port, what any template agent reads and any app may write
    <prefix>/<service>/instances/<member>  beside it where stackctl registered: whose it is, its tags and metadata
    <prefix>/<service>/drains/<member>     a mark of maintenance, for one registration, with the reason

A member is the instance's address, or where that is taken its endpoint. The first two live for the registry's ttl.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stackctl.domain.catalog import WEIGHT_META, CatalogEntry, Registration, SetAside
from stackctl.domain.instance import SAFE_ID, Endpoint
from stackctl.domain.wishes import MAX_WEIGHT, whole


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """Where one registration stands: its keys follow from it."""

    prefix: str
    service: str
    name: str

    @property
    def keys(self) -> tuple[str, str, str]:
        """Of the address, of what is known besides, of the mark."""
        return self._key("ips"), self._key("instances"), self._key("drains")

    def _key(self, kind: str) -> str:
        return f"{self.prefix}/{self.service}/{kind}/{self.name}"

    @classmethod
    def of(cls, prefix: str, key: str) -> Member | None:
        """The member that a key is about; None where it is about something else."""
        parts = key.removeprefix(f"{prefix}/").split("/")
        if not key.startswith(f"{prefix}/") or len(parts) != 3 or parts[1] not in ("ips", "instances", "drains"):
            return None
        return cls(prefix, parts[0], parts[2]) if parts[0] and parts[2] else None


@dataclass(frozen=True, slots=True)
class Row:
    """One member as it was read at one moment; None where a key is not there."""

    member: Member
    address: str
    known: str | None = None
    mark: str | None = None


def pattern(prefix: str, service: str = "") -> str:
    """What SCAN matches the addresses of a service (or of all) with."""
    return f"{_literally(prefix)}/{_literally(service) if service else '*'}/ips/*"


def beginning(prefix: str) -> str:
    """What SCAN matches all keys with that begin so."""
    return f"{_literally(prefix)}*"


def _literally(text: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]\\^-" else character for character in text)


def written(registration: Registration) -> tuple[str, str]:
    """The values of a registration's first two keys."""
    known = {
        "id": registration.id,
        "instance": registration.instance,
        "owner": registration.owner,
        "endpoint": str(registration.endpoint),
        "tags": list(registration.tags),
        "meta": dict(registration.meta),
    }
    return str(registration.endpoint), json.dumps(known, sort_keys=True, separators=(",", ":"))


def is_of(known: str | None, id: str) -> bool:
    """Whether what stands beside an address is this registration's."""
    try:
        return _known(known).get("id") == id
    except ValueError:
        return False


def mark(id: str, reason: str) -> str:
    """The value of a mark."""
    return json.dumps({"id": id, "reason": reason})


def entries(rows: Iterable[Row]) -> tuple[tuple[CatalogEntry, ...], tuple[SetAside, ...]]:
    """The rows that are sound, and those that are not, each with the reason."""
    found: list[CatalogEntry] = []
    aside: list[SetAside] = []
    for row in rows:
        try:
            found.append(entry(row))
        except ValueError as problem:
            name, id = row.member.name, id_of(row)
            safe = name if SAFE_ID.match(name) else ascii(name)
            aside.append(SetAside(safe, row.member.service, str(problem), registration=id))
    return tuple(found), tuple(aside)


def id_of(row: Row) -> str:
    """By which a registration is removed: its own id, or its address where nothing beside that can be read."""
    try:
        return registered(row).id
    except ValueError:
        return row.member.name


def entry(row: Row) -> CatalogEntry:
    """A row as an entry of the catalog; raises ValueError with the reason where it is none."""
    registration = registered(row)
    reason = _marked(row.mark, registration.id)
    return CatalogEntry(
        id=registration.instance or registration.id,
        service=registration.service,
        endpoint=registration.endpoint,
        registration=registration.id,
        owner=registration.owner,
        draining=reason is not None,
        drain_reason=reason or "",
        weight=whole(dict(registration.meta).get(WEIGHT_META, "1"), "the weight", MAX_WEIGHT),
        tags=registration.tags,
        meta=registration.meta,
    )


def registered(row: Row) -> Registration:
    """A row as a registration; raises ValueError with the reason where it is none."""
    try:
        endpoint = Endpoint.parse(row.address)
    except ValueError as problem:
        raise ValueError(f"{row.address!r} is no ip:port ({problem})") from problem
    known = _known(row.known)
    # Somebody else has written another address beside what was known: then nothing is known.
    if known.get("endpoint") != str(endpoint):
        return Registration(_safe(row.member.name), row.member.service, endpoint, "", "")
    return Registration(
        id=_safe(_text(known, "id")),
        service=row.member.service,
        endpoint=endpoint,
        instance=_safe(_text(known, "instance")) if known.get("instance") else "",
        owner=_text(known, "owner"),
        tags=_texts(known),
        meta=_pairs(known),
    )


def _known(text: str | None) -> dict[str, Any]:
    try:
        known = json.loads(text) if text else {}
    except ValueError as problem:
        raise ValueError("what is written beside its address is no JSON") from problem
    if not isinstance(known, dict):
        raise ValueError("what is written beside its address is no JSON object")
    return known


def _text(known: dict[str, Any], name: str) -> str:
    value = known.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"its {name} {value!r} is no text")
    return value


def _texts(known: dict[str, Any]) -> tuple[str, ...]:
    value = known.get("tags", [])
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ValueError("its tags are no list of texts")
    return tuple(value)


def _pairs(known: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    value = known.get("meta", {})
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("its metadata is no mapping of texts")
    return tuple(sorted(value.items()))


def _safe(id: str) -> str:
    if not SAFE_ID.match(id):
        raise ValueError(f"the id {id!r} holds a character that is not allowed, or is too long")
    return id


def _marked(text: str | None, id: str) -> str | None:
    """The reason of a mark for this registration; None for no mark, or one for whoever had the address before."""
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return None
    return str(value.get("reason", "")) if isinstance(value, dict) and value.get("id") == id else None
