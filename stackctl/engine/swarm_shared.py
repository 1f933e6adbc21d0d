"""What a stack's services share in a Swarm beside their file: the token of their doors, a network with fixed addresses,
and what none of them uses any more."""

from __future__ import annotations

import contextlib
import secrets

import docker.errors
from docker.types import IPAMConfig, IPAMPool

from stackctl.domain.subnet import Subnet
from stackctl.engine.swarm_manager import NAMESPACE, STACK, Manager
from stackctl.errors import UsageError


def make_token(manager: Manager) -> None:
    """By which the stack's agents know who may ask; made once, and gone with the stack."""
    name = f"{manager.stack}_token"
    if not manager.call(lambda: manager.api.configs(filters={"name": [name]})):
        data = secrets.token_hex(16).encode()
        labels = {STACK: manager.stack, NAMESPACE: manager.stack}
        manager.call(lambda: manager.api.create_config(name, data, labels))


def make_network(manager: Manager, name: str, subnet: Subnet) -> None:
    """The stack's network, where its subnet is not the Swarm's choice; a stack file can't keep the lower half for fixed
    addresses. Raises `UsageError` where it is there with another one: no network changes under what runs in it."""
    for raw in manager.call(lambda: manager.api.networks(names=[name])):
        there = [pool.get("Subnet") for pool in raw["IPAM"].get("Config") or ()]
        if raw["Name"] == name and there != [subnet.text]:
            message = f"the stack's network has {', '.join(map(str, there))}, and {subnet.text} is wanted now"
            raise UsageError("network-differs", message, where=name, hint=f"stackctl down {manager.stack}")
        if raw["Name"] == name:
            return
    pool = IPAMPool(subnet=subnet.text, gateway=subnet.gateway, iprange=subnet.assigned)
    options = {"ipam": IPAMConfig(pool_configs=[pool]), "attachable": True, "scope": "swarm"}
    labels = {STACK: manager.stack, NAMESPACE: manager.stack}
    manager.call(lambda: manager.api.create_network(name, "overlay", labels=labels, **options))


def tidy(manager: Manager) -> None:
    """Remove configs and secrets that no service uses any more, nor would after a rollback."""
    used: set[str] = set()
    for raw in manager.raw_services():
        for spec in (raw["Spec"], raw.get("PreviousSpec") or {"TaskTemplate": {"ContainerSpec": {}}}):
            container = spec["TaskTemplate"]["ContainerSpec"]
            used |= {item["ConfigID"] for item in container.get("Configs") or ()}
            used |= {item["SecretID"] for item in container.get("Secrets") or ()}
    api = manager.api
    for listed, remove in ((api.configs, api.remove_config), (api.secrets, api.remove_secret)):
        for raw in manager.call(lambda listed=listed: listed(filters=manager.own)):  # type: ignore[misc]
            if raw["ID"] not in used and raw["Spec"]["Name"] != f"{manager.stack}_token":
                with contextlib.suppress(docker.errors.APIError):  # somebody's else has it meanwhile
                    remove(raw["ID"])
