"""Real containers for integration tests: a network, a Consul server with its client agent, a registrator, instances.

Everything carries the lab's own name and is removed at its end, whatever happened in between.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from bench.ports import free_port
from stackctl.domain.catalog import CatalogEntry
from stackctl.engine.images import ensure
from stackctl.errors import StackctlError
from stackctl.registry.consul import Consul
from stackctl.rendering.images import image_build

ROOT = Path(__file__).parents[2]
SOCKET = "/var/run/docker.sock"
PYTHON = "python3 -E -s -S /app/app.pyc"  # how the sample app starts


@cache
def images() -> dict[str, str]:
    """The images that a lab runs, made where they are missing."""
    components = ("consul", "registrator", "whoami")
    builds = [image_build(name, templates=ROOT / "templates", package=ROOT / "stackctl") for name in components]
    ensure(builds, "auto", lambda _component, _what: None)
    return {build.component: build.tag for build in builds}


def eventually(what: str, see: Callable[[], object], timeout: float = 10.0) -> float:
    """Look until something true is seen, and tell how many seconds that took; fails by name when it takes too long."""
    began = time.monotonic()
    while not (seen := see()):
        assert time.monotonic() - began < timeout, f"not within {timeout} s: {what} (last: {seen!r})"
        time.sleep(0.01)
    return time.monotonic() - began


class Lab:
    """One network with what runs on it."""

    def __init__(self) -> None:
        self.name = f"stackctl-test-{uuid.uuid4().hex[:8]}"
        self.engine = docker.from_env()
        self.network = self.engine.networks.create(self.name)
        self.consul_port, self.status_port = free_port(), free_port()

    def close(self) -> None:
        """Remove everything that carries the lab's name."""
        for container in self.engine.containers.list(all=True, filters={"name": self.name}):
            container.remove(force=True, v=True)
        self.network.remove()

    def run(self, name: str, image: str, *command: str, **options: Any) -> Container:
        """A container of the lab on its network, reachable there by `name`."""
        aliases = self.engine.api.create_endpoint_config(aliases=[name])
        return self.engine.containers.run(
            images()[image],
            list(command),
            name=f"{self.name}-{name}",
            network=self.name,
            networking_config={self.name: aliases},
            detach=True,
            **options,
        )

    # --- Consul ------------------------------------------------------------------------------------------------

    def start_consul(self, *options: str) -> None:
        """One server and one client agent, ready to answer; the options are the agent's."""
        own = ("-server", "-bootstrap-expect=1", "-hcl=performance { raft_multiplier = 1 }")
        self.run("consul-1", "consul", *self._node("consul-1"), *own)
        self.start_agent(*options)

    def start_agent(self, *options: str) -> Container:
        """The client agent; after it was removed with its data, the same node comes back empty."""
        join = ("-retry-join=consul-1", "-retry-interval=1s")
        agent = self.run(
            "consul-agent",
            "consul",
            *self._node("consul-agent"),
            *join,
            *options,
            ports={"8500/tcp": ("127.0.0.1", self.consul_port)},
        )
        eventually("Consul has a leader", lambda: self.try_consul(lambda c: c.get("/v1/status/leader")), 30)
        eventually("the agent has joined", lambda: self.try_consul(lambda c: c.catalog("x", consistent=True)), 30)
        return agent

    def _node(self, name: str) -> tuple[str, ...]:
        address = '{{ GetInterfaceIP "eth0" }}'
        node_id = uuid.uuid5(uuid.NAMESPACE_DNS, name)
        return (f"-node={name}", f"-node-id={node_id}", f"-advertise={address}", "-client=0.0.0.0", "-bind=0.0.0.0")

    def consul(self, ask: Callable[[Consul], Awaitable[Any]]) -> Any:
        """Ask the client agent something."""

        async def asked() -> Any:
            async with Consul(f"http://127.0.0.1:{self.consul_port}") as consul:
                return await ask(consul)

        return asyncio.run(asked())

    def try_consul(self, ask: Callable[[Consul], Awaitable[Any]]) -> Any:
        """The same, or None where there is no answer."""
        try:
            return self.consul(ask)
        except StackctlError:
            return None

    def catalog(self, service: str = "web") -> dict[str, CatalogEntry]:
        """What is registered under a name, by the container's name within the lab."""
        found = self.consul(lambda consul: consul.catalog(service, consistent=True))
        assert not found.set_aside
        return {entry.id.removeprefix(f"{self.name}-"): entry for entry in found.entries}

    # --- the registrator and what it registers ------------------------------------------------------------------

    def start_registrator(self, socket: str = SOCKET, **environment: str) -> Container:
        """A registrator with no more rights than a stack gives it; `environment` adds to what it is told."""
        registrator = self.run(
            "registrator",
            "registrator",
            environment={
                "STACKCTL_STACK": self.name,
                "STACKCTL_NETWORK": self.name,
                "STACKCTL_REGISTRY": "consul://consul-agent:8500",
                "STACKCTL_OWNER": f"{self.name}/host",
                **environment,
            },
            volumes={socket: {"bind": SOCKET, "mode": "rw"}},
            ports={"8090/tcp": ("127.0.0.1", self.status_port)},
            cap_drop=["ALL"],
            cap_add=["SETUID", "SETGID"],
            read_only=True,
            security_opt=["no-new-privileges"],
        )
        eventually("the registrator is well", lambda: self.health().get("healthy"), 20)
        return registrator

    def health(self) -> dict[str, Any]:
        """What the registrator says of itself; empty where it says nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/healthz", timeout=2) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as unwell:
            return dict(json.load(unwell))
        except OSError:
            return {}

    def log(self, container: Container) -> list[dict[str, Any]]:
        """An agent's log lines."""
        return [json.loads(line) for line in container.logs().decode().splitlines()]

    def app(self, name: str, *command: str, **options: Any) -> Container:
        """An instance of the service web that the stack's registrator should register."""
        labels = {
            "stackctl.stack": self.name,
            "stackctl.service": "web",
            "stackctl.role": "service",
            "stackctl.register": "registrator",
            "stackctl.port": "80",
            "stackctl.check": json.dumps({"kind": "http", "path": "/healthz"}),
        }
        shell = {"entrypoint": ["sh", "-c"]} if command else {}
        return self.run(name, "whoami", *command, **({"labels": labels} | shell | options))

    def apps(self, *names: str) -> list[Container]:
        """Instances that are registered already."""
        started = [self.app(name) for name in names]
        eventually(f"{names} are registered", lambda: set(names) <= set(self.catalog()))
        return started


@contextmanager
def lab() -> Iterator[Lab]:
    """A lab with Consul, gone at the end."""
    made = Lab()
    try:
        made.start_consul()
        yield made
    finally:
        made.close()
