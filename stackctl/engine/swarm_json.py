"""A manager's JSON about nodes, services and tasks as domain values (docs.docker.com/reference/api/engine, Swarm)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from stackctl.domain.instance import Endpoint, Health, Instance, State
from stackctl.domain.swarm import SwarmNode, SwarmService, UpdateState
from stackctl.engine.container_json import seconds

Json = Mapping[str, Any]

WANTED = ("running", "ready")
# What becomes of a task before its container runs, and after; `running` and `starting` depend on more.
BEFORE = ("new", "allocated", "pending", "assigned", "accepted", "preparing", "ready")
UNKNOWN = ("", "0.0.0.0", "127.0.0.1")


def node(raw: Json) -> SwarmNode:
    """A member of the Swarm."""
    manager: Json = raw.get("ManagerStatus") or {}
    address = str(raw["Status"].get("Addr", ""))
    if address in UNKNOWN:  # some managers say so of themselves
        address = str(manager.get("Addr", "")).rpartition(":")[0]
    return SwarmNode(
        id=raw["ID"],
        hostname=raw["Description"]["Hostname"],
        address=address,
        state=raw["Status"]["State"],
        availability=raw["Spec"]["Availability"],
        manager=bool(manager),
        labels=raw["Spec"].get("Labels") or {},
    )


def service(raw: Json) -> SwarmService:
    """A service of a stack."""
    spec: Json = raw["Spec"]
    update: Json = raw.get("UpdateStatus") or {}
    replicated = spec["Mode"].get("Replicated")
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return SwarmService(
        id=raw["ID"],
        name=spec["Name"],
        workload=spec["Labels"].get("stackctl.service", ""),
        digest=spec["Labels"].get("stackctl.digest", ""),
        replicas=int(replicated.get("Replicas", 0)) if replicated else 0,
        image=spec["TaskTemplate"]["ContainerSpec"]["Image"],
        update=cast(UpdateState, update.get("State", "")),
        message=str(update.get("Message", "")),
        updated=str(update.get("StartedAt", "")),
        ports={p["TargetPort"]: p["PublishedPort"] for p in ports if p["PublishMode"] == "host" and _fixed(p)},
    )


def _fixed(port: Json) -> bool:
    return bool(port.get("PublishedPort"))


def instances(
    tasks: Iterable[Json], services: Iterable[SwarmService], nodes: Iterable[SwarmNode], network: str
) -> Iterator[Instance]:
    """The tasks that are there or are to be; not those of nodes that nobody hears of."""
    known = {service.id: service for service in services}
    members = {node.id: node for node in nodes}
    for raw in tasks:
        where = members.get(raw.get("NodeID", ""))
        lost = where is not None and where.state != "ready"
        running = raw["Status"]["State"] in ("starting", "running")
        if raw["ServiceID"] in known and not lost and (running or raw["DesiredState"] in WANTED):
            yield instance(raw, known[raw["ServiceID"]], where, network)


def instance(raw: Json, service: SwarmService, where: SwarmNode | None, network: str) -> Instance:
    """A task as an instance of its service, on this node.

    Once the Swarm has another leader its managers do not know any more on which ports of their nodes tasks are; those
    that the service itself names are known still.
    """
    spec: Json = raw["Spec"]["ContainerSpec"]
    labels: Mapping[str, str] = spec.get("Labels") or {}
    state, health = _state(raw)
    bound = (raw["Status"].get("PortStatus") or {}).get("Ports") or ()
    ports = {**service.ports, **{port["TargetPort"]: port["PublishedPort"] for port in bound if _fixed(port)}}
    return Instance(
        id=task_name(raw, service.name),
        service=labels.get("stackctl.service", ""),
        role=labels.get("stackctl.role", ""),
        container=container_id(raw),
        state=state,
        health=health,
        created=seconds(raw["CreatedAt"]),
        digest=labels.get("stackctl.digest", ""),
        image=spec["Image"],
        endpoint=_endpoint(raw, labels, where, ports, network),
        published=tuple(sorted(ports.values())),
        ports=ports,
        node=where.hostname if where else "",
        trouble=trouble(raw),
    )


def task_name(raw: Json, service: str) -> str:
    """The name of a task's container."""
    return f"{service}.{raw.get('Slot') or raw.get('NodeID', '')}.{raw['ID']}"


def trouble(raw: Json) -> str:
    """Why a task is not as it should be: it can't begin, or it ended by itself."""
    if raw["Status"]["State"] == "complete":
        return "it ended, with exit code 0"
    return str(raw["Status"].get("Err") or "")


def address(raw: Json, network: str) -> str:
    """A task's address on a network; empty where it has none."""
    for attached in raw.get("NetworksAttachments") or ():
        if attached["Network"]["Spec"]["Name"] == network and attached.get("Addresses"):
            return str(attached["Addresses"][0]).partition("/")[0]
    return ""


def container_id(raw: Json) -> str:
    """The engine's own id of a task's container; empty where there is none yet."""
    return str((raw["Status"].get("ContainerStatus") or {}).get("ContainerID", ""))


def _state(raw: Json) -> tuple[State, Health]:
    """A task is `starting` until its container is healthy, and then `running`."""
    now = raw["Status"]["State"]
    if now in BEFORE or (now == "starting" and not container_id(raw)):
        return "created", "none"
    if now in ("starting", "running"):
        if raw["DesiredState"] not in WANTED:
            return "removing", "none"
        return "running", "starting" if now == "starting" else "none"
    return "exited", "none"


def _endpoint(
    raw: Json, labels: Mapping[str, str], where: SwarmNode | None, ports: Mapping[int, int], network: str
) -> Endpoint | None:
    """Where the registrator says that it answers: its own address on the stack's network, or its node's."""
    port = int(labels.get("stackctl.port") or 0)
    if labels.get("stackctl.address") == "host":
        return Endpoint(where.address, ports[port]) if where and where.address and port in ports else None
    own = address(raw, network)
    return Endpoint(own, port) if own and port else None
