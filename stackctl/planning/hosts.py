"""A stack on several hosts: each has one node of the Consul cluster and one registrator; the rest is spread over them.

Machines reach each other by their addresses alone. Consul's ports for its own kind are published there; its API and its
DNS are not, they answer in the stack's network on each machine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stackctl.domain.desired import Published, Workload
from stackctl.domain.host import Host
from stackctl.domain.stack import ConsulRegistry, Service, Stack
from stackctl.planning import consul
from stackctl.planning.placement import project

CONSUL = "consul"


def nodes(stack: Stack, service: Service | None = None) -> tuple[str, ...]:
    """The machines that instances of a service may run on, and without one the balancers; none on a single engine."""
    if stack.engine != "hosts":
        return ()
    return service.on if service and service.on else tuple(host.name for host in stack.hosts)


def consul_nodes(stack: Stack, registry: ConsulRegistry, image: str) -> tuple[Workload, ...]:
    """A server on each of the first hosts, a client agent on every other one; agents ask the one beside them."""
    serving = [host.address for host in stack.hosts[: registry.servers]]
    return tuple(_consul(stack, registry, image, host, serving) for host in stack.hosts)


def consul_ports(stack: Stack) -> tuple[int, ...]:
    """The ports that Consul's nodes take of each machine; none where there is only one."""
    registry = stack.registry
    if stack.engine != "hosts" or not isinstance(registry, ConsulRegistry):
        return ()
    return (registry.port, registry.port + 1)


def _consul(stack: Stack, registry: ConsulRegistry, image: str, host: Host, serving: list[str]) -> Workload:
    role: dict[str, Any] = {"server": False}
    if host.address in serving:
        role = {"server": True, "bootstrap_expect": len(serving)}
    rpc, gossip = registry.port, registry.port + 1
    # One datacenter: nobody joins from others.
    ports = {"server": rpc, "serf_lan": gossip, "serf_wan": -1, **({"dns": 53} if registry.subnet else {})}
    join = consul.join([f"{address}:{gossip}" for address in serving], f"{host.address}:{gossip}")
    own = {**role, **join, **consul.dns(registry), "ports": ports, **consul.scripts(registry)}
    node = consul.node(stack, host.name, host.address, image, own)
    ui = (Published(registry.ui, 8500, "127.0.0.1"),) if registry.ui else ()
    return replace(
        node,
        name=CONSUL,
        nodes=(host.name,),
        aliases=(consul.AGENT,),
        link_local="",
        address=consul.agent_address(registry.subnet) if registry.subnet else "",
        volumes={"consul-data": consul.DATA},
        published=(
            *ui,
            Published(rpc, rpc, host.address),
            Published(gossip, gossip, host.address),
            Published(gossip, gossip, host.address, protocol="udp"),
        ),
    )


def registrators(stack: Stack, one: Workload) -> tuple[Workload, ...]:
    """A registrator for each host: what it registers is found at the host's address."""
    return tuple(
        replace(
            one,
            nodes=(host.name,),
            environment={
                **one.environment,
                "STACKCTL_NETWORK": f"{project(stack.name, host.name)}_default",
                "STACKCTL_OWNER": f"{stack.name}/{host.name}",
                "STACKCTL_HOST_IP": host.address,
            },
        )
        for host in stack.hosts
    )
