"""Which parts a stack's registry consists of, and how the agents reach it: one place for every kind."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.domain.conventions import catalog_name
from stackctl.domain.desired import Workload
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.stack import ConsulRegistry, RedisRegistry, Service, Stack, StaticRegistry
from stackctl.planning import consul, hosts, redis
from stackctl.planning.labels import settings_of


def components(stack: Stack) -> tuple[str, ...]:
    """The components whose images the registry's own parts need."""
    match stack.registry:
        case ConsulRegistry():
            return ("consul",)
        case RedisRegistry():
            return ("redis",)
        case StaticRegistry():
            return ()


def workloads(stack: Stack, images: Mapping[str, str]) -> tuple[Workload, ...]:
    """The registry's own parts."""
    match stack.registry:
        case ConsulRegistry() as registry if stack.engine == "hosts":
            return hosts.consul_nodes(stack, registry, images["consul"])
        case ConsulRegistry() as registry:
            return consul.workloads(stack, registry, images["consul"])
        case RedisRegistry() as registry:
            return redis.workloads(stack, registry, images["redis"])
        case StaticRegistry():
            return ()


def settings(stack: Stack) -> RegistrySettings:
    """What agents are told about it."""
    match stack.registry:
        case ConsulRegistry():
            return consul.settings()
        case RedisRegistry() as registry:
            return redis.settings(registry)
        case StaticRegistry():
            lists = {_name(service): _instances(stack, service) for service in stack.services if service.route}
            return RegistrySettings("static", lists=lists)


def resolver(stack: Stack) -> str:
    """The address of the DNS server that containers ask; empty where the engine's own is all there is."""
    registry = stack.registry
    return consul.agent_address(registry.subnet) if isinstance(registry, ConsulRegistry) and registry.subnet else ""


def has_registrator(stack: Stack) -> bool:
    """Whether an agent registers instances: not in a fixed list, and not where every service registers itself."""
    if isinstance(stack.registry, StaticRegistry):
        return False
    return isinstance(stack.registry, ConsulRegistry) or any(s.register == "registrator" for s in stack.services)


def _name(service: Service) -> str:
    return catalog_name(settings_of(service), service.name, service.port)


def _instances(stack: Stack, service: Service) -> tuple[str, ...]:
    """As the engine will name them."""
    return tuple(f"{stack.name}-{service.name}-{n}:{service.port}" for n in range(1, service.replicas + 1))
