"""What the engine has of one stack, observed once, from its labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import docker
import docker.errors
import requests.exceptions

from stackctl.domain.host import HERE, Host
from stackctl.domain.instance import Endpoint, EngineState, Health, Instance, State
from stackctl.engine.container_json import host_port
from stackctl.errors import Unreachable

STACK = "stackctl.stack"
PROJECT = "com.docker.compose.project"


def observe(client: docker.DockerClient, stack: str, network: str, host: Host = HERE) -> EngineState:
    """Every container, network and volume that carries the stack's label.

    Endpoints are addresses on `network`, or the host's where it has one. Raises `Unreachable` where the engine does not
    answer.
    """
    own = {"label": [f"{STACK}={stack}"]}
    try:
        containers = client.api.containers(all=True, filters=own)
        networks = client.api.networks(filters=own)
        volumes = client.api.volumes(filters=own)["Volumes"] or []
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise Unreachable("engine-lost", f"the engine stopped answering: {error}", hint="stackctl doctor") from error
    return EngineState(
        tuple(sorted((_instance(raw, network, host) for raw in containers), key=lambda instance: instance.id)),
        tuple(sorted(raw["Name"] for raw in networks)),
        tuple(sorted(raw["Name"] for raw in volumes)),
    )


def strangers(client: docker.DockerClient, stack: str, project: str) -> tuple[str, ...]:
    """What a Compose project of this name has on the engine that is not the stack's, by name, containers first."""
    there = {"label": [f"{PROJECT}={project}"]}
    containers = client.api.containers(all=True, filters=there)
    others = (*client.api.networks(filters=there), *(client.api.volumes(filters=there)["Volumes"] or ()))
    named = [(raw["Names"][0].lstrip("/"), raw) for raw in containers] + [(raw["Name"], raw) for raw in others]
    return tuple(name for name, raw in named if (raw["Labels"] or {}).get(STACK) != stack)


def publishers(client: docker.DockerClient, port: int) -> Mapping[str, str]:
    """The running containers that publish this host port: the stack by the container's name, empty for none."""
    found = client.api.containers(filters={"publish": str(port)})
    return {raw["Names"][0].lstrip("/"): str(raw["Labels"].get(STACK, "")) for raw in found}


def _instance(raw: Mapping[str, Any], network: str, host: Host) -> Instance:
    labels: Mapping[str, str] = raw["Labels"]
    canary = labels.get("stackctl.canary", "")
    return Instance(
        id=raw["Names"][0].lstrip("/"),
        service=labels.get("stackctl.service", ""),
        role=labels.get("stackctl.role", ""),
        container=raw["Id"],
        state=cast(State, raw["State"]),
        health=_health(raw["Status"]),
        created=float(raw["Created"]),
        digest=labels.get("stackctl.digest", ""),
        image=raw["Image"],
        endpoint=_endpoint(raw, network, host.address),
        ports={p["PrivatePort"]: p["PublicPort"] for p in raw.get("Ports") or () if p.get("PublicPort")},
        published=tuple(sorted({p["PublicPort"] for p in raw.get("Ports") or () if p.get("PublicPort")})),
        canary=int(canary) if canary.isdecimal() else 0,
        node=host.name,
    )


def _endpoint(raw: Mapping[str, Any], network: str, host: str) -> Endpoint | None:
    """Where the registrator says that the instance answers: its own address on the stack's network, or the host's."""
    labels: Mapping[str, str] = raw["Labels"]
    attached: Mapping[str, str] = raw["NetworkSettings"]["Networks"].get(network) or {}
    address, port = attached.get("IPAddress", ""), int(labels.get("stackctl.port") or 0)
    if address and labels.get("stackctl.address") == "host":
        address = host or attached.get("Gateway", "")
        port = host_port(
            (bound.get("IP", ""), bound["PublicPort"])
            for bound in raw.get("Ports") or ()
            if bound.get("PublicPort") and (bound["PrivatePort"], bound["Type"]) == (port, "tcp")
        )
    return Endpoint(address, port) if address and port else None


def _health(status: str) -> Health:
    """The engine's listing tells health only within its words: `Up 3 seconds (health: starting)`."""
    for word, health in (("(healthy)", "healthy"), ("(unhealthy)", "unhealthy"), ("(health: starting)", "starting")):
        if word in status:
            return cast(Health, health)
    return "none"
