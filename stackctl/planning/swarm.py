"""What differs where a stack runs as a Swarm's services: addresses that nobody can choose, one node's parts, liveness.

On an overlay every task gets a new address, and there is none to choose: Consul's nodes keep their ids and find each
other by their services' names. The engine ends and replaces what is unhealthy, so that health means here that a process
answers at all: whoever has lost the registry must not be killed for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from stackctl.domain.desired import Desired, HealthCheck, Workload
from stackctl.domain.plan import Operation
from stackctl.domain.subnet import Subnet
from stackctl.domain.swarm import SwarmNode
from stackctl.domain.wishes import GRACE_LABEL, REGISTER_LABEL, STOP_LABEL
from stackctl.errors import UsageError
from stackctl.planning import consul
from stackctl.planning.entry import BALANCER
from stackctl.planning.published import own_ports

# The overlay is the first network of a task, the way out of its node the second.
OWN_ADDRESS = '{{ GetInterfaceIP "eth0" }}'
# Names of tasks are known only once these are healthy: whether a leader is there must not be asked.
CONSUL_HEALTH = HealthCheck(("consul", "members"))
# Any answer will do; bash asks, because a Python process for every check would cost more than the agent.
ANSWERS = "exec 3<>/dev/tcp/127.0.0.1/8090; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; grep -qm1 '^HTTP/' <&3"
AGENT_HEALTH = HealthCheck(("bash", "-c", ANSWERS))
# An engine puts the node's own values in the place of these.
HOSTNAME = "{{.Node.Hostname}}"
# Ignored by whoever does not ask for it, and who does (Go's runtime) goes on as well.
WARNING = "SIGURG"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a workload's tasks run: one on every node, or one on each node with a label; else anywhere.

    `in_place`: a task ends before the one that replaces it begins, as both can't be at the same time.
    """

    everywhere: bool = False
    label: str = ""
    in_place: bool = True


def as_services(desired: Desired) -> Desired:
    """The workloads as a Swarm can run them."""
    subnet = Subnet(desired.subnet) if desired.subnet else None
    return replace(desired, workloads=tuple(_service(desired.stack, w, subnet) for w in desired.workloads))


def placement(stack: str, workload: Workload) -> Placement:
    """Where a workload's tasks run. Clients know the balancers by their nodes' addresses, and a Consul server's state
    lies on its node: these stay where they are."""
    if workload.role == "balancer" or (workload.role == "consul" and workload.name != consul.AGENT):
        return Placement(label=node_label(stack, workload.name))
    if workload.role in ("consul", "registrator"):
        return Placement(everywhere=True)
    return Placement(in_place=any(port.host for port in own_ports(workload.extra)))


def node_label(stack: str, name: str) -> str:
    """The label of the node that a part with an identity of its own runs on, where its volume is."""
    return f"stackctl.{stack}.{name}"


def places(desired: Desired, nodes: Iterable[SwarmNode]) -> Iterator[Operation]:
    """Which nodes are to be given the labels of parts that have too few. A part stays where it was, also while that
    node is down; another goes to the usable node that has the fewest.

    Raises `UsageError` where there are not nodes enough.
    """
    members = sorted(nodes, key=lambda node: (node.hostname, node.id))
    labels = {w.name: label for w in desired.workloads if (label := placement(desired.stack, w).label)}
    held = {node.id: [name for name, label in labels.items() if label in node.labels] for node in members}
    for name in labels:
        workload = desired.workload(name)
        wanted = workload.replicas if workload else 0
        for _ in range(wanted - sum(name in names for names in held.values())):
            free = [node for node in members if node.usable and name not in held[node.id]]
            if not free:
                usable = sum(node.usable for node in members)
                raise UsageError(
                    "swarm-too-few-nodes",
                    f"{wanted} of {name} need as many nodes, and {usable} of the Swarm can take tasks",
                    hint="`docker node ls` shows them; lower `balancer.replicas`, or add nodes",
                )
            # By kind: servers beside servers would die together, a balancer beside a server does no harm.
            role = workload.role if workload else ""
            chosen = min(free, key=lambda node: _count(desired, held[node.id], role))
            held[chosen.id].append(name)
            yield Operation("place", name, node_label(desired.stack, name), "no node has its label", chosen.hostname)


def _count(desired: Desired, names: Iterable[str], role: str) -> int:
    workloads = map(desired.workload, names)
    return sum(workload.role == role for workload in workloads if workload)


def _service(stack: str, workload: Workload, subnet: Subnet | None) -> Workload:
    if workload.role == "consul":
        return _resolving(_consul(workload), subnet) if subnet and workload.name == consul.AGENT else _consul(workload)
    if workload.role == "registrator":
        told = {
            "STACKCTL_OWNER": f"{stack}/{HOSTNAME}",
            "STACKCTL_AGENT": consul.AGENT,
            "STACKCTL_BALANCERS": f"tasks.{BALANCER}",
            "STACKCTL_HOST_IP": "node",
        }
        return replace(workload, environment={**workload.environment, **told}, health=AGENT_HEALTH)
    if workload.role == "balancer":
        # What is told to a running task would be lost with it, and another one takes its place at any time.
        published = tuple(replace(port, span=1) for port in workload.published)
        configs = {**workload.configs, **workload.live}
        return replace(workload, configs=configs, live={}, published=published, health=AGENT_HEALTH)
    return _warned(workload)


def _warned(workload: Workload) -> Workload:
    """A Swarm chooses by itself what it ends, and asks nobody before: it is made to send a signal that no process minds
    at first, so that the registrator can take the instance out of the registry, and then end it."""
    if workload.labels.get(REGISTER_LABEL) != "registrator":
        return workload
    told = {STOP_LABEL: str(workload.extra.get("stop_signal") or "image"), GRACE_LABEL: f"{workload.stop_grace:g}"}
    extra = {**workload.extra, "stop_signal": WARNING}
    return replace(workload, labels={**workload.labels, **told}, extra=extra)


def _consul(workload: Workload) -> Workload:
    config: dict[str, Any] = {**workload.configs[consul.CONFIG], "advertise_addr": OWN_ADDRESS}
    hostname = workload.hostname
    if workload.name == consul.AGENT:
        # One on every node: each is called after its node, and its id lies in its volume there. It comes back under
        # another address, and nobody believes it is the same one for half a minute, unless it said good-bye.
        config = {key: value for key, value in config.items() if key not in ("node_name", "node_id")}
        config["leave_on_terminate"] = True
        hostname = HOSTNAME
    return replace(
        workload,
        hostname=hostname,
        link_local="",
        address="",
        published=(),
        configs={consul.CONFIG: config},
        health=CONSUL_HEALTH,
    )


def _resolving(agent: Workload, subnet: Subnet) -> Workload:
    """Where tasks ask for names: every node's agent gives itself one and the same address. An overlay asks for one that
    it did not assign on the node itself and nowhere else, so that each task reaches its own node's agent."""
    shared = f"^{re.escape(subnet.resolver)}$"
    own = f'{{{{ GetAllInterfaces | include "name" "eth0" | exclude "address" `{shared}` | attr "address" }}}}'
    return replace(
        agent,
        configs={consul.CONFIG: {**agent.configs[consul.CONFIG], "advertise_addr": own}},
        extra={"user": "root", "entrypoint": ["sh", consul.AT_ADDRESS, subnet.resolver, *consul.ENTRYPOINT]},
        capabilities=("NET_ADMIN", "SETGID", "SETUID"),
    )
