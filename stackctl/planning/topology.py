"""Topology: which workloads a stack consists of, from its spec and the images that were found for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from stackctl.domain.balancer import BalancerSettings, RoutedService
from stackctl.domain.conventions import catalog_name
from stackctl.domain.desired import Desired, HealthCheck, Published, Workload
from stackctl.domain.stack import Check, Service, Stack
from stackctl.domain.verdict import Expectation, ExpectedService
from stackctl.domain.wishes import ignored, of_port, wishes
from stackctl.planning import registries
from stackctl.planning.labels import settings_of

REGISTRATOR = "registrator"
BALANCER = "lb"
SETTINGS = "/etc/stackctl/balancer.json"
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
    return (*registries.components(stack), *agents, *sorted(samples))


def topology(stack: Stack, images: Mapping[str, str], replicas: Mapping[str, int] | None = None) -> Desired:
    """The workloads, in the order in which they start.

    `images` are tags by component (`component_images`), and by `build:<service>` for what is built from the user's
    folders; `replicas` overrides the spec's numbers, as `scale` does.
    """
    counts = replicas or {}
    return Desired(
        stack.name,
        (
            *registries.workloads(stack, images),
            *([_registrator(stack, images["registrator"])] if registries.has_registrator(stack) else []),
            _balancer(stack, images["balancer"]),
            *(_service(s, images, counts.get(s.name, s.replicas)) for s in stack.services),
        ),
    )


def expectation(stack: Stack, replicas: Mapping[str, int] | None = None) -> Expectation:
    """What the proof holds a stack against."""
    counts = replicas or {}
    return Expectation(
        stack.name,
        tuple(
            ExpectedService(
                service.name,
                registered_as(service),
                counts.get(service.name, service.replicas),
                registered=is_registered(service),
                routed=service.route is not None and is_registered(service),
            )
            for service in stack.services
        ),
        stack.balancer.replicas,
    )


def registered_as(service: Service) -> str:
    """The name under which the registry knows a service: registrator's conventions in its labels beat the spec's."""
    return catalog_name(settings_of(service), service.name, service.port)


def is_registered(service: Service) -> bool:
    """Whether anybody registers a service; SERVICE_IGNORE among its settings says no."""
    return service.register != "none" and not ignored(of_port(wishes(settings_of(service)), service.port))


def balancer_settings(stack: Stack) -> BalancerSettings:
    """What each balancer is told at its start."""
    routed = tuple(
        RoutedService(service.name, registered_as(service), service.route)
        for service in stack.services
        if service.route
    )
    return BalancerSettings(
        stack=stack.name,
        domain=stack.balancer.domain,
        stub_status=stack.balancer.stub_status,
        connect_timeout=stack.balancer.connect_timeout,
        shutdown_timeout=max((service.stop_grace for service in stack.services), default=30.0),
        registry=registries.settings(stack),
        services=routed,
        https=stack.balancer.https is not None,
        tls=stack.balancer.tls is not None,
        empty=stack.balancer.empty,
    )


def _registrator(stack: Stack, image: str) -> Workload:
    return Workload(
        name=REGISTRATOR,
        role="registrator",
        image=image,
        environment={
            "STACKCTL_STACK": stack.name,
            "STACKCTL_NETWORK": network(stack.name),
            "STACKCTL_OWNER": f"{stack.name}/{REGISTRATOR}",
        },
        configs={REGISTRY_SETTINGS: asdict(registries.settings(stack))},
        binds={SOCKET: SOCKET},
        health=AGENT_HEALTH,
        # It starts as root, looks which group may read the engine's socket, and drops everything else.
        capabilities=("SETUID", "SETGID"),
    )


def _balancer(stack: Stack, image: str) -> Workload:
    return Workload(
        name=BALANCER,
        role="balancer",
        image=image,
        replicas=stack.balancer.replicas,
        configs={SETTINGS: asdict(balancer_settings(stack))},
        published=(Published(stack.balancer.http, 80, span=stack.balancer.replicas),),
        health=AGENT_HEALTH,
        stop_grace=balancer_settings(stack).shutdown_timeout,
        capabilities=(),
    )


def _service(service: Service, images: Mapping[str, str], replicas: int) -> Workload:
    source = service.image
    image = {
        "bundled": images.get(source.value, ""),
        "reference": source.value,
        "build": images.get(f"build:{service.name}", ""),
    }[source.kind]
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
            "stackctl.address": service.address,
        },
        stop_grace=service.stop_grace,
        extra=service.compose,
    )
