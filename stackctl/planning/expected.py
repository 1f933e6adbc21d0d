"""What the proof holds a stack against."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.domain.stack import ConsulRegistry, Stack, StaticRegistry
from stackctl.domain.verdict import Expectation, ExpectedService, SharedAddress
from stackctl.planning import hosts
from stackctl.planning.entry import is_registered, published_ports, registered_as, route_of


def expectation(stack: Stack, replicas: Mapping[str, int] | None = None) -> Expectation:
    """Every service of the spec; `replicas` overrides its numbers, as `scale` does."""
    counts = replicas or {}
    dns = isinstance(stack.registry, ConsulRegistry) and bool(stack.registry.subnet)
    ports = published_ports(stack)
    services = tuple(
        ExpectedService(
            service.name,
            registered_as(service),
            counts.get(service.name, service.replicas),
            registered=is_registered(service),
            routed=route_of(service, stack) is not None and is_registered(service),
            resolved=dns and is_registered(service) and route_of(service, stack) is None,
            ports=ports.get(service.name, frozenset()),
            nodes=hosts.nodes(stack, service),
        )
        for service in stack.services
    )
    external = tuple(
        ExpectedService(
            e.name,
            e.name,
            len(e.endpoints),
            registered=True,
            routed=e.route is not None,
            resolved=dns and e.route is None,
            ports=ports.get(e.name, frozenset()),
            given={external_id(e.name, number): endpoint for number, endpoint in enumerate(e.endpoints, start=1)},
        )
        for e in stack.external
    )
    fixed = isinstance(stack.registry, StaticRegistry)
    address = stack.balancer.virtual_address
    shared = SharedAddress(address, hosts.nodes(stack)) if address else None
    return Expectation(stack.name, (*services, *external), stack.balancer.replicas, fixed=fixed, shared=shared)


def external_id(name: str, number: int) -> str:
    """The id under which stackctl registers an endpoint that it does not run."""
    return f"{name}-{number}"
