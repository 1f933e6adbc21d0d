"""What stackctl itself writes to the registry: services with `register: api`, and endpoints that it does not run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from stackctl.domain.catalog import CANARY_META, WEIGHT_META, Catalog, Registration, RegistryCheck
from stackctl.domain.instance import Endpoint, EngineState
from stackctl.domain.route import ROUTE_META, STRIP_META, Route
from stackctl.domain.stack import Check, Stack
from stackctl.domain.wishes import meta, of_port, tags, wishes
from stackctl.planning.entry import registered_as
from stackctl.planning.expected import external_id
from stackctl.planning.labels import settings_of


def missing(stack: Stack, seen: EngineState, catalogs: Mapping[str, Catalog]) -> tuple[Registration, ...]:
    """The registrations that should be there and are not, or that name another endpoint."""
    held = {entry.registration: entry.endpoint for catalog in catalogs.values() for entry in catalog.entries}
    return tuple(wanted for wanted in by_api(stack, seen) if held.get(wanted.id) != wanted.endpoint)


def by_api(stack: Stack, seen: EngineState) -> Iterator[Registration]:
    """One for each running instance of a service that is registered by API, and for each external endpoint."""
    for service in stack.services:
        if service.register == "api":
            here = of_port(wishes(settings_of(service)), service.port)
            extra = dict(meta({}, here)) | {WEIGHT_META: str(service.weight)}
            for instance in seen.of(service.name):
                if instance.serving and instance.endpoint:
                    yield registration(
                        instance.id,
                        registered_as(service),
                        instance.endpoint,
                        service.check,
                        tags=tags(here),
                        meta=extra | ({CANARY_META: str(instance.canary)} if instance.canary else {}),
                    )
    for external in stack.external:
        for number, endpoint in enumerate(external.endpoints, start=1):
            yield registration(
                external_id(external.name, number), external.name, endpoint, external.check, meta=_route(external.route)
            )


def registration(
    id: str,
    service: str,
    endpoint: Endpoint,
    check: Check,
    *,
    tags: Iterable[str] = (),
    meta: Mapping[str, str] | None = None,
) -> Registration:
    """A registration that nobody owns: no registrator will remove it."""
    http = f"http://{endpoint}{check.path}" if check.kind == "http" else ""
    tcp = "" if http else str(endpoint)
    return Registration(
        id=id,
        service=service,
        endpoint=endpoint,
        instance=id,
        owner="",
        tags=tuple(tags),
        meta=tuple(sorted((meta or {}).items())),
        check=RegistryCheck(
            http=http,
            tcp=tcp,
            interval=check.interval,
            timeout=check.timeout,
            deregister_after=check.deregister_after,
            status="critical",  # until it answers: whoever writes this asks first
        ),
    )


def _route(route: Route | None) -> dict[str, str]:
    if route is None:
        return {}
    return {ROUTE_META: str(route)} | ({STRIP_META: "true"} if route.strip else {})
