"""Observations as JSON, between the probe inside the stack and the judge outside."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from stackctl.domain.balancer import Backend, Backends, RoutedService, Target
from stackctl.domain.catalog import Catalog, CatalogEntry, Registration, RegistryCheck, SetAside
from stackctl.domain.instance import Endpoint
from stackctl.domain.observation import BalancerSeen, Traffic
from stackctl.domain.route import Route

Json = dict[str, Any]


def catalog_to_json(catalog: Catalog) -> Json:
    """A registry's answer for one service."""
    return {
        "service": catalog.service,
        "entries": [
            {
                "id": entry.id,
                "service": entry.service,
                "endpoint": str(entry.endpoint),
                "registration": entry.registration,
                "owner": entry.owner,
                "passing": entry.passing,
                "node_alive": entry.node_alive,
                "draining": entry.draining,
                "drain_reason": entry.drain_reason,
                "weight": entry.weight,
                "tags": list(entry.tags),
                "meta": dict(entry.meta),
                "holder": entry.holder,
                "unasked": entry.unasked,
            }
            for entry in catalog.entries
        ],
        "set_aside": [asdict(item) for item in catalog.set_aside],
        "index": catalog.index,
    }


def catalog_from_json(data: Json) -> Catalog:
    """What `catalog_to_json` wrote."""
    entries = tuple(
        CatalogEntry(
            **{
                **entry,
                "endpoint": Endpoint.parse(entry["endpoint"]),
                "tags": tuple(entry["tags"]),
                "meta": tuple(sorted(entry["meta"].items())),
            }
        )
        for entry in data["entries"]
    )
    return Catalog(data["service"], entries, tuple(SetAside(**s) for s in data["set_aside"]), data["index"])


def registration_to_json(registration: Registration) -> Json:
    """A registration that somebody asks for."""
    return {**asdict(registration), "endpoint": str(registration.endpoint)}


def registration_from_json(data: Json) -> Registration:
    """What `registration_to_json` wrote."""
    check = data["check"]
    return Registration(
        **{
            **data,
            "endpoint": Endpoint.parse(data["endpoint"]),
            "tags": tuple(data["tags"]),
            "meta": tuple((key, value) for key, value in data["meta"]),
            "check": RegistryCheck(**check) if check else None,
        }
    )


def backends_to_json(backends: Backends) -> Json:
    """Backends by service."""
    return {
        name: [{"id": b.id, "endpoint": str(b.endpoint), "weight": b.weight} for b in members]
        for name, members in backends.items()
    }


def backends_from_json(data: Json) -> Backends:
    """What `backends_to_json` wrote."""
    return {
        name: tuple(Backend(b["id"], Endpoint.parse(b["endpoint"]), int(b["weight"])) for b in members)
        for name, members in data.items()
    }


def target_to_json(target: Target) -> Json:
    """What a config is made of."""
    services = [{"name": s.name, "catalog_name": s.catalog_name, "route": asdict(s.route)} for s in target.services]
    return {"services": services, "backends": backends_to_json(target.backends)}


def target_from_json(data: Json) -> Target:
    """What `target_to_json` wrote."""
    services = (RoutedService(s["name"], s["catalog_name"], Route(**s["route"])) for s in data["services"])
    return Target(tuple(services), backends_from_json(data["backends"]))


def traffic_to_json(traffic: Traffic) -> Json:
    """What requests through one way met."""
    return {
        "requests": traffic.requests,
        "answered": dict(traffic.answered),
        "failed": dict(traffic.failed),
        "reasons": list(traffic.reasons),
    }


def traffic_from_json(data: Json) -> Traffic:
    """What `traffic_to_json` wrote."""
    return Traffic(data["requests"], data["answered"], data["failed"], tuple(data["reasons"]))


def balancer_to_json(seen: BalancerSeen) -> Json:
    """One balancer from inside; its id is known outside, its traffic is asked for on its own."""
    return {
        "revision": seen.revision,
        "backends": backends_to_json(seen.backends),
        "tampered": seen.tampered,
        "dropped": {name: list(ids) for name, ids in seen.dropped.items()},
        "reloaded": seen.reloaded,
        "shutting_down": seen.shutting_down,
        "connections": dict(seen.connections),
        "agent": seen.agent,
        "rejected": seen.rejected,
    }


def balancer_from_json(id: str, data: Json) -> BalancerSeen:
    """What `balancer_to_json` wrote."""
    return BalancerSeen(
        id,
        revision=data["revision"],
        backends=backends_from_json(data["backends"]),
        tampered=data["tampered"],
        dropped={name: tuple(ids) for name, ids in data["dropped"].items()},
        reloaded=data["reloaded"],
        shutting_down=data["shutting_down"],
        connections=data["connections"],
        agent=data["agent"],
        rejected=data["rejected"],
    )
