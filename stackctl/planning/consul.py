"""How the Consul cluster is laid out: servers with quorum, and one client agent that registrations go to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stackctl.domain.desired import HealthCheck, Published, Workload
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.stack import ConsulRegistry, Registry, Stack
from stackctl.domain.subnet import Subnet

AGENT = "consul-agent"
CONFIG = "/consul/config/agent.json"
DATA = "/consul/data"
ENTRYPOINT = ("consul", "agent", "-config-dir=/consul/config", f"-data-dir={DATA}")  # the image's own
AT_ADDRESS = "/opt/stackctl/at-address.sh"  # gives the container an address besides
# Every stack has a network of its own, so each may use the same addresses.
LINK_LOCAL = "169.254.83"
ENGINE_RESOLVER = "127.0.0.11"
AGENT_ADDRESS = f"{LINK_LOCAL}.100"
NODES = uuid.UUID("6f0f2d0e-6a53-4c0b-9d4c-2f6a4b1f7c11")  # namespace of node ids, fixed for ever


def server_names(registry: ConsulRegistry) -> tuple[str, ...]:
    """consul-1, consul-2, …"""
    return tuple(f"consul-{number}" for number in range(1, registry.servers + 1))


def resolvers(registry: ConsulRegistry) -> tuple[str, ...]:
    """The DNS server of containers: the client agent at a fixed address, or the engine's own."""
    return (agent_address(registry.subnet),) if registry.subnet else ()


def agent_address(subnet: str) -> str:
    """Its address in the stack's network."""
    return Subnet(subnet).resolver


def settings() -> RegistrySettings:
    """How agents reach it: the client agent finds the servers itself."""
    return RegistrySettings("consul", url=f"http://{AGENT}:8500")


def registrator_environment(registry: Registry) -> dict[str, str]:
    """What the registrator is told besides: scripts reach Consul only where it runs them, and nowhere by default."""
    allowed = isinstance(registry, ConsulRegistry) and registry.script_checks
    return {"STACKCTL_SCRIPT_CHECKS": "true"} if allowed else {}


def workloads(stack: Stack, registry: ConsulRegistry, image: str) -> tuple[Workload, ...]:
    """The servers, each with a volume of its own, and the client agent."""
    names = server_names(registry)
    serving = {"server": True, "bootstrap_expect": len(names), **scripts(registry)}
    # An election waits for one to two seconds by the clock: all else is started meanwhile.
    servers = tuple(
        replace(node(stack, name, f"{LINK_LOCAL}.{number}", image, {**serving, **join(names, name)}), first=True)
        for number, name in enumerate(names, start=1)
    )
    ports = (Published(registry.ui, 8500, "127.0.0.1"),) if registry.ui else ()
    own = {"server": False, **join(names, AGENT), **dns(registry), **scripts(registry)}
    client = node(stack, AGENT, AGENT_ADDRESS, image, own)
    address = agent_address(registry.subnet) if registry.subnet else ""
    return (*servers, replace(client, published=ports, address=address))


def join(servers: Sequence[str], own: str) -> dict[str, Any]:
    """Whom a node looks for until it has found one: every server but itself.

    Who looks for itself too has found one at once, and looks no more. A Swarm tells names with a delay: a server whose
    peers had none yet stayed alone, for ever and without a leader.
    """
    return {"retry_join": [server for server in servers if server != own]}


def scripts(registry: ConsulRegistry) -> dict[str, Any]:
    """Whether a node runs scripts. Not `enable_local_script_checks`: that is for definitions in Consul's own files, and
    ours come over its API."""
    return {"enable_script_checks": True} if registry.script_checks else {}


def dns(registry: ConsulRegistry) -> dict[str, Any]:
    """The client agent answers containers on port 53: Consul's names itself, others by the engine's resolver.

    Names that were asked for are watched and answered from what the agent knows, so that they resolve while no server
    leads: an election takes a second or two, and until it is over servers refuse even what they know.
    """
    if not registry.subnet:
        return {}
    names = {"only_passing": True, "use_cache": True}
    return {"ports": {"dns": 53}, "recursors": [ENGINE_RESOLVER], "dns_config": names}


def node(stack: Stack, name: str, address: str, image: str, own: dict[str, Any]) -> Workload:
    """A node of the cluster; `address` is how the others reach it, `own` what it has beyond what all have."""
    config = {
        "node_name": name,
        # The same id after the container or its volume is made anew: Consul refuses a known name under a new id, and
        # then nothing that this node registers arrives.
        "node_id": str(uuid.uuid5(NODES, f"{stack.name}/{name}")),
        "datacenter": "dc1",
        "data_dir": DATA,
        "client_addr": "0.0.0.0",
        "bind_addr": "0.0.0.0",
        # The same address after the container is made anew or the machine restarts: a server that comes back under
        # another one is taken out of the consensus and gets its vote back 10 s later, one server after the other.
        "advertise_addr": address,
        "ui": True,
        "retry_interval": "250ms",
        # A restart is not a departure: an agent that leaves takes all of its registrations along.
        "leave_on_terminate": False,
        "skip_leave_on_interrupt": True,
        "disable_update_check": True,
        "enable_local_script_checks": False,
        # Detection and election as fast as Consul can; the default is five times slower.
        "performance": {"raft_multiplier": 1},
        # A server whose volume was lost gets its vote once it was healthy for this long.
        "autopilot": {"server_stabilization_time": "1s"},
        "telemetry": {"disable_hostname": True},
        **own,
    }
    return Workload(
        name=name,
        role="consul",
        image=image,
        hostname=name,
        link_local=address,
        # The address of a server that died does not refuse, it is silent, and Consul waits 10 s for it: with one more
        # attempt instead of six, the kernel gives up after 2 to 3 s and the next server is asked.
        sysctls={"net.ipv4.tcp_syn_retries": "1"},
        configs={CONFIG: config},
        volumes={f"{name}-data": DATA},
        # Asks for what only a cluster with a leader can answer.
        health=HealthCheck(("consul", "catalog", "nodes")),
    )
