"""A real Redis registry for integration tests: the nodes and Sentinels of a stack, on a network of their own.

They are reached from here by fixed addresses, and know each other by the link-local ones, as in a stack.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from stackctl.domain.catalog import Registration
from stackctl.domain.desired import Workload
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.stack import RedisRegistry, Stack
from stackctl.engine.images import ensure
from stackctl.errors import StackctlError
from stackctl.planning import redis as planned
from stackctl.registry.redis import Redis
from stackctl.rendering.images import image_build
from tests.integration.lab import ROOT, eventually

PASSWORD = "s3cret"


@cache
def image(component: str) -> str:
    """The tag of an image, made where it is missing."""
    build = image_build(component, templates=ROOT / "templates", package=ROOT / "stackctl")
    ensure([build], "auto", lambda _component, _what: None)
    return build.tag


def registration(number: int, service: str = "webapp", owner: str = "test/host") -> Registration:
    """<service>-<number> at 192.0.2.<number>."""
    id = f"{service}-{number}"
    return Registration(id, service, Endpoint(f"192.0.2.{number}", 80), id, owner, meta=(("weight", "10"),))


def free_subnet(engine: docker.DockerClient) -> str:
    """The first three bytes of a /24 of the range that is set aside for tests of networks; none here has it."""
    pools = (pool for network in engine.networks.list() for pool in network.attrs["IPAM"]["Config"] or ())
    taken = [ip_network(pool["Subnet"]) for pool in pools]
    blocks = IPv4Network("198.19.0.0/16").subnets(new_prefix=24)
    free = next(block for block in blocks if not any(block.overlaps(net) for net in taken if net.version == 4))
    return str(free.network_address).removesuffix(".0")


class RedisLab:
    """The containers of one registry."""

    def __init__(self, folder: Path, registry: RedisRegistry) -> None:
        self.name = f"stackctl-test-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.registry = registry
        self.engine = docker.from_env()
        self.subnet = free_subnet(self.engine)
        pool = IPAMPool(subnet=f"{self.subnet}.0/24")
        self.network = self.engine.networks.create(self.name, ipam=IPAMConfig(pool_configs=[pool]))
        self.addresses: dict[str, str] = {}

    def start(self) -> None:
        """All of them at once, and well."""
        for workload in self.workloads():
            self.run(workload)
        self.well()

    def workloads(self) -> tuple[Workload, ...]:
        """The nodes and the Sentinels, each with an address from here on."""
        workloads = planned.workloads(Stack(self.name, ()), self.registry, image("redis"))
        self.addresses = {workload.name: f"{self.subnet}.{10 + n}" for n, workload in enumerate(workloads)}
        return workloads

    def well(self) -> None:
        """Wait for a master, a quorum and replicas that follow."""
        eventually("a master and a quorum", lambda: self.try_ask(lambda r: r.master(majority=True)), 30)
        eventually("its replicas follow", lambda: self.followers() == self.registry.replicas, 30)

    def run(self, workload: Workload) -> Container:
        """One container, as Compose would make it."""
        mounts = {f"{self.name}-{volume}": {"bind": path, "mode": "rw"} for volume, path in workload.volumes.items()}
        for target, text in workload.configs.items():
            file = self.folder / f"{workload.name}-{Path(target).name}"
            file.write_text(text)
            file.chmod(0o644)
            mounts[str(file)] = {"bind": target, "mode": "ro"}
        endpoint = self.engine.api.create_endpoint_config(
            aliases=[workload.name],
            ipv4_address=self.addresses[workload.name],
            link_local_ips=[workload.link_local],
        )
        return self.engine.containers.run(
            workload.image,
            list(workload.command),
            name=f"{self.name}-{workload.name}",
            hostname=workload.hostname,
            environment=dict(workload.environment),
            volumes=mounts,
            network=self.name,
            networking_config={self.name: endpoint},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            detach=True,
        )

    def close(self) -> None:
        """Remove everything that carries the lab's name."""
        for container in self.engine.containers.list(all=True, filters={"name": self.name}):
            container.remove(force=True, v=True)
        for volume in self.engine.volumes.list(filters={"name": self.name}):
            volume.remove(force=True)
        self.network.remove()

    def container(self, name: str) -> Container:
        """One of the containers."""
        return self.engine.containers.get(f"{self.name}-{name}")

    @property
    def told(self) -> RegistrySettings:
        """What an agent on this machine is told: names are addresses here."""
        told = planned.settings(self.registry)
        sentinels = (sentinel.partition(":") for sentinel in told.sentinels)
        return replace(
            told,
            sentinels=tuple(f"{self.addresses[name]}:{port}" for name, _, port in sentinels),
            nodes={address: self.addresses[name] for address, name in told.nodes.items()},
        )

    def ask(self, work: Callable[[Redis], Awaitable[Any]], **other: Any) -> Any:
        """What comes of some work with a session; `other` replaces settings."""

        async def asked() -> Any:
            async with Redis(replace(self.told, **other)) as session:
                return await work(session)

        return asyncio.run(asked())

    def try_ask(self, work: Callable[[Redis], Awaitable[Any]]) -> Any:
        """The same, or None where there is no answer."""
        try:
            return self.ask(work)
        except (StackctlError, OSError):
            return None

    def master(self) -> str:
        """The name of the node that a majority calls master; empty where nobody is."""
        node = self.try_ask(lambda session: session.master(majority=True))
        names: Mapping[str, str] = {address: name for name, address in self.addresses.items()}
        return names[node.host] if node else ""

    def followers(self) -> int:
        """How many replicas the master has."""

        async def count(session: Redis) -> int:
            return len((await (await session.master()).ask("ROLE"))[2])

        return int(self.try_ask(count) or 0)


@contextmanager
def redis_lab(folder: Path, registry: RedisRegistry | None = None) -> Iterator[RedisLab]:
    """A registry with a replica and three Sentinels, gone at the end."""
    lab = RedisLab(folder, registry or RedisRegistry(password=PASSWORD, ttl=3.0))
    try:
        lab.start()
        yield lab
    finally:
        lab.close()
