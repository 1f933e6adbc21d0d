"""Topology: which workloads a stack consists of, from its spec and the images that were found for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stackctl.domain.desired import Desired, HealthCheck, Published, Workload
from stackctl.domain.stack import Addressing, Check, ConsulRegistry, Service, Stack
from stackctl.domain.wishes import CANARY_LABEL
from stackctl.planning import consul, entry, hosts, registries, swarm, vip
from stackctl.planning.entry import registered_as
from stackctl.planning.labels import publishes

REGISTRATOR = "registrator"
REGISTRY_SETTINGS = "/etc/stackctl/registry.json"
SOCKET = "/var/run/docker.sock"
# Bash can ask by itself; a Python process for every check would cost more than the agent.
ASK_HEALTH = "exec 3<>/dev/tcp/127.0.0.1/8090; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; grep -qm1 ' 200 ' <&3"
AGENT_HEALTH = HealthCheck(("bash", "-c", ASK_HEALTH))


def network(stack: str) -> str:
    """The stack's own network, as the engine names it."""
    return f"{stack}_default"


def component_images(stack: Stack) -> tuple[str, ...]:
    """The components whose images a stack needs: ours, and the bundled samples that it names."""
    samples = {service.image.value for service in stack.services if service.image.kind == "bundled"}
    agents = ("registrator", "balancer") if registries.has_registrator(stack) else ("balancer",)
    return (*registries.components(stack), *agents, *vip.components(stack), *sorted(samples))


def topology(stack: Stack, images: Mapping[str, str], replicas: Mapping[str, int] | None = None) -> Desired:
    """The workloads, in the order in which they start.

    `images` are tags by component (`component_images`), and by `build:<service>` for what is built from the user's
    folders; `replicas` overrides the spec's numbers, as `scale` does.
    """
    counts = replicas or {}
    desired = Desired(
        stack.name,
        (
            *registries.workloads(stack, images),
            *(_registrators(stack, images["registrator"]) if registries.has_registrator(stack) else ()),
            entry.workload(stack, images["balancer"], AGENT_HEALTH),
            *vip.workloads(stack, images),
            *(_service(stack, s, images, counts.get(s.name, s.replicas)) for s in stack.services),
        ),
        subnet=stack.registry.subnet if isinstance(stack.registry, ConsulRegistry) else "",
        engine=stack.engine,
    )
    return swarm.as_services(desired) if stack.engine == "swarm" else desired


def addressing(stack: Stack, service: Service) -> Addressing:
    """Whose address is registered: other machines reach no container's."""
    return "host" if stack.engine == "hosts" else service.address


def _registrators(stack: Stack, image: str) -> tuple[Workload, ...]:
    one = Workload(
        name=REGISTRATOR,
        role="registrator",
        image=image,
        environment={
            "STACKCTL_STACK": stack.name,
            "STACKCTL_NETWORK": network(stack.name),
            "STACKCTL_OWNER": f"{stack.name}/{REGISTRATOR}",
            **consul.registrator_environment(stack.registry),
        },
        configs={REGISTRY_SETTINGS: asdict(registries.settings(stack))},
        binds={SOCKET: SOCKET},
        health=AGENT_HEALTH,
        # It starts as root, looks which group may read the engine's socket, and drops everything else.
        capabilities=("SETUID", "SETGID"),
    )
    return hosts.registrators(stack, one) if stack.engine == "hosts" else (one,)


def _service(stack: Stack, service: Service, images: Mapping[str, str], replicas: int) -> Workload:
    source = service.image
    image = {
        "bundled": images.get(source.value, ""),
        "reference": source.value,
        "build": images.get(f"build:{service.name}", ""),
    }[source.kind]
    address = addressing(stack, service)
    by_host = address == "host" and not publishes(service, service.port)
    return Workload(
        name=service.name,
        role="service",
        image=image,
        build=source.value if source.kind == "build" else "",
        replicas=replicas,
        labels={
            "stackctl.register": service.register,
            "stackctl.port": str(service.port),
            # Without a check in the spec, registrator's own SERVICE_CHECK_* have their say.
            **(
                {}
                if service.check == Check()
                else {"stackctl.check": json.dumps(asdict(service.check), sort_keys=True)}
            ),
            "stackctl.weight": str(service.weight),
            "stackctl.address": address,
            **({CANARY_LABEL: str(service.canary)} if service.canary else {}),
        },
        # Any free port of the host: as many instances as there are share it, and the registry tells which one it is.
        published=(Published(0, service.port),) if by_host else (),
        stop_grace=service.stop_grace,
        dns=consul.resolvers(stack.registry) if isinstance(stack.registry, ConsulRegistry) else (),
        extra=service.compose,
        nodes=hosts.nodes(stack, service),
        **(_heartbeat(stack, service) if service.register == "self" else {}),
    )


def _heartbeat(stack: Stack, service: Service) -> dict[str, Any]:
    """What a service that registers itself is told: where, and as what."""
    return {
        "configs": {REGISTRY_SETTINGS: asdict(registries.settings(stack))},
        "environment": {
            "HEARTBEAT_SERVICE": registered_as(service),
            "HEARTBEAT_PORT": str(service.port),
            "HEARTBEAT_WEIGHT": str(service.weight),
        },
    }
