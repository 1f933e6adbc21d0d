"""The entry: the balancers, what they are told, and which ports they publish."""

from __future__ import annotations

from dataclasses import asdict

from stackctl.domain.balancer import BalancerSettings, RoutedService
from stackctl.domain.conventions import catalog_name
from stackctl.domain.desired import HealthCheck, Published, Workload
from stackctl.domain.files import FILES
from stackctl.domain.route import Route, route_of_registration
from stackctl.domain.stack import Service, Stack
from stackctl.domain.wishes import ignored, meta, of_port, tags, wishes
from stackctl.planning import hosts, registries
from stackctl.planning.labels import settings_of
from stackctl.rendering.nginx import CERTIFICATE, TLS_PORT

BALANCER = "lb"
STATUS_PAGE = "/stub_status"
SETTINGS = "/etc/stackctl/balancer.json"


def registered_as(service: Service) -> str:
    """The name under which the registry knows a service: registrator's conventions in its labels beat the spec's."""
    return catalog_name(settings_of(service), service.name, service.port)


def is_registered(service: Service) -> bool:
    """Whether anybody registers a service; SERVICE_IGNORE among its settings says no."""
    return service.register != "none" and not ignored(of_port(wishes(settings_of(service)), service.port))


def route_of(service: Service, stack: Stack) -> Route | None:
    """How the entry reaches a service: as the spec says, else as its registrations will ask by tags or meta."""
    if service.route:
        return service.route
    here = of_port(wishes(settings_of(service)), service.port)
    try:
        return route_of_registration(registered_as(service), tags(here), dict(meta({}, here)), stack.balancer.domain)
    except ValueError:
        return None  # the registrator sets such an instance aside, with the reason


def routed_services(stack: Stack) -> tuple[RoutedService, ...]:
    """Every service of the spec that the entry reaches, in its order."""
    own = tuple(
        RoutedService(service.name, registered_as(service), route)
        for service in stack.services
        if (route := route_of(service, stack)) and is_registered(service)
    )
    return (*own, *(RoutedService(e.name, e.name, e.route) for e in stack.external if e.route))


def balancer_settings(stack: Stack) -> BalancerSettings:
    """What each balancer is told at its start."""
    return BalancerSettings(
        stack=stack.name,
        domain=stack.balancer.domain,
        stub_status=stack.balancer.stub_status,
        connect_timeout=stack.balancer.connect_timeout,
        response_timeout=stack.balancer.response_timeout,
        shutdown_timeout=stack.balancer.shutdown_timeout,
        registry=registries.settings(stack),
        services=routed_services(stack),
        https=stack.balancer.https is not None,
        tls=stack.balancer.tls is not None,
        template=stack.balancer.template,
        files=stack.balancer.files,
        empty=stack.balancer.empty,
        alive=bool(stack.balancer.virtual_address),
    )


def entries_wanted(stack: Stack) -> dict[int, str]:
    """The ports of this machine that the entry itself takes, and the key that says so."""
    balancer = stack.balancer
    keys = {"balancer.http": balancer.http, "balancer.https": balancer.https, "balancer.tls": balancer.tls}
    spans = ((key, range(first, first + span(stack))) for key, first in keys.items() if first)
    return {port: key for key, ports in spans for port in ports}


def span(stack: Stack) -> int:
    """How many ports in a row each entry takes: balancers on one machine share them, on several each has its own."""
    return stack.balancer.replicas if stack.engine == "compose" else 1


def entries(stack: Stack) -> tuple[Published, ...]:
    """The published ports of the first balancer; each further one on the same machine has the next port."""
    balancer = stack.balancer
    found = {balancer.http: 80}
    if balancer.https:
        found[balancer.https] = 443
    if balancer.tls:
        found[balancer.tls] = TLS_PORT
    routed = {service.route.port for service in routed_services(stack) if service.route.kind == "tcp"}
    found |= {port: port for port in sorted({*balancer.tcp, *routed})}
    return tuple(Published(host, inside, span=span(stack)) for host, inside in found.items())


def published_ports(stack: Stack) -> dict[str, frozenset[int]]:
    """The ports of this machine that lead to each routed service, through all balancers."""
    found: dict[str, frozenset[int]] = {}
    for service in routed_services(stack):
        route = service.route
        inner = {"tcp": {route.port}, "tls": {TLS_PORT}}.get(route.kind, {80, 443})
        spans = (range(p.host, p.host + p.span) for p in entries(stack) if p.container in inner)
        found[service.name] = frozenset(port for ports in spans for port in ports)
    return found


def workload(stack: Stack, image: str, health: HealthCheck) -> Workload:
    """The balancers."""
    told, certificate = balancer_settings(stack), stack.balancer.certificate
    files = {"chain.pem": certificate.chain, "key.pem": certificate.key} if certificate else {}
    return Workload(
        name=BALANCER,
        role="balancer",
        image=image,
        replicas=stack.balancer.replicas,
        configs={f"{CERTIFICATE}/{name}": text for name, text in files.items()},
        live={SETTINGS: asdict(told)},
        nodes=hosts.nodes(stack),
        volumes={"files": FILES} if told.files else {},
        published=entries(stack),
        health=health,
        stop_grace=max((service.stop_grace for service in stack.services), default=30.0),
        capabilities=(),
    )
