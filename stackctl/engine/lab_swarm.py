"""A Swarm of a lab's nodes, made through their own engines."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import docker
import docker.errors

from stackctl.domain.lab import Node
from stackctl.engine.contexts import context_client
from stackctl.engine.lab import LOST
from stackctl.errors import StackctlError, Unreachable

PATIENCE = 30.0


def init(node: Node, pool: IPv4Network) -> None:
    """Make a Swarm of one node, its overlays within `pool`."""
    client = _client(node)
    try:
        client.swarm.init(advertise_addr=node.address, default_addr_pool=[str(pool)], subnet_size=24)
    except LOST as error:
        raise _failed(node, error) from error


def join(node: Node, manager: Node, role: str) -> None:
    """Let a node join a manager's Swarm."""
    try:
        token = _client(manager).api.inspect_swarm()["JoinTokens"][role.capitalize()]
        _client(node).swarm.join([manager.address], join_token=token, advertise_addr=node.address)
    except LOST as error:
        raise _failed(node, error) from error


def promote(node: Node, manager: Node) -> None:
    """Make a worker a manager."""
    try:
        for member in _client(manager).nodes.list(filters={"name": node.name}):
            member.update({**member.attrs["Spec"], "Role": "manager"})
    except LOST as error:
        raise _failed(node, error) from error


def ready(manager: Node) -> frozenset[str]:
    """The names of the members that a manager counts as ready; none while there is no leader."""
    try:
        members: list[Any] = _client(manager).nodes.list()
    except LOST:
        return frozenset()
    return frozenset(m.attrs["Description"]["Hostname"] for m in members if m.attrs["Status"]["State"] == "ready")


def _client(node: Node) -> docker.DockerClient:
    client = context_client(node.name, PATIENCE)
    if client is None:
        raise Unreachable("lab-node-silent", f"there is no Docker context for {node.name}", hint="stackctl lab up")
    return client


def _failed(node: Node, error: Exception) -> StackctlError:
    reason = str(getattr(error, "explanation", "") or error)
    return StackctlError("lab-swarm-failed", reason, where=node.name, hint=f"docker --context {node.name} info")
