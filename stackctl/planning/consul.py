"""How the Consul cluster is laid out: servers with quorum, and one client agent that registrations go to."""

from __future__ import annotations

import uuid
from typing import Any

from stackctl.domain.desired import HealthCheck, Published, Workload
from stackctl.domain.stack import ConsulRegistry, Stack

AGENT = "consul-agent"
CONFIG = "/consul/config/agent.json"
DATA = "/consul/data"
NODES = uuid.UUID("6f0f2d0e-6a53-4c0b-9d4c-2f6a4b1f7c11")  # namespace of node ids, fixed for ever


def server_names(registry: ConsulRegistry) -> tuple[str, ...]:
    """consul-1, consul-2, …"""
    return tuple(f"consul-{number}" for number in range(1, registry.servers + 1))


def workloads(stack: Stack, image: str) -> tuple[Workload, ...]:
    """The servers, each with a volume of its own, and the client agent."""
    names = server_names(stack.registry)
    servers = tuple(
        _node(stack, name, image, {"server": True, "bootstrap_expect": len(names), "retry_join": list(names)})
        for name in names
    )
    ports = (Published(stack.registry.ui, 8500, "127.0.0.1"),) if stack.registry.ui else ()
    client = _node(stack, AGENT, image, {"server": False, "retry_join": list(names)}, ports)
    return (*servers, client)


def _node(stack: Stack, name: str, image: str, own: dict[str, Any], published: tuple[Published, ...] = ()) -> Workload:
    config = {
        "node_name": name,
        # The same id after the container or its volume is made anew: Consul refuses a known name under a new id, and
        # then nothing that this node registers arrives.
        "node_id": str(uuid.uuid5(NODES, f"{stack.name}/{name}")),
        "datacenter": "dc1",
        "data_dir": DATA,
        "client_addr": "0.0.0.0",
        "bind_addr": "0.0.0.0",
        "advertise_addr": '{{ GetInterfaceIP "eth0" }}',
        "ui": True,
        "retry_interval": "1s",
        # A restart is not a departure: an agent that leaves takes all of its registrations along.
        "leave_on_terminate": False,
        "skip_leave_on_interrupt": True,
        "disable_update_check": True,
        "enable_local_script_checks": False,
        # Detection and election as fast as Consul can; the default is five times slower.
        "performance": {"raft_multiplier": 1},
        # Servers that come back under other addresses lose their vote until they were healthy for this long.
        "autopilot": {"server_stabilization_time": "1s"},
        "telemetry": {"disable_hostname": True},
        **own,
    }
    return Workload(
        name=name,
        role="consul",
        image=image,
        hostname=name,
        configs={CONFIG: config},
        volumes={f"{name}-data": DATA},
        published=published,
        # Asks for what only a cluster with a leader can answer.
        health=HealthCheck(("consul", "catalog", "nodes")),
    )
