"""What labels ask for must not clash either: routes and names that no key of the spec says, but registrations will."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.domain.route import Route
from stackctl.domain.stack import Stack
from stackctl.planning.entry import STATUS_PAGE, entries_wanted, is_registered, registered_as, routed_services, span
from stackctl.spec.clashes import LAST_PORT, beyond
from stackctl.spec.findings import Finding


def label_clashes(stack: Stack) -> Iterator[Finding]:
    """Each service whose labels want what another one has."""
    names = {external.name: f"external.{external.name}" for external in stack.external}
    for service in (service for service in stack.services if is_registered(service)):
        name = registered_as(service)
        if name in names:
            message = f"it is registered as {name}, as {names[name]} is"
            yield Finding(("services", service.name), message, "give it a SERVICE_NAME of its own", at="key")
        names.setdefault(name, service.name)
    ports = entries_wanted(stack)
    claims = {Route("path", STATUS_PAGE).claim: "stub_status"} if stack.balancer.stub_status else {}
    for routed in routed_services(stack):
        claim = routed.route.claim
        holder = claims.get(claim) or (ports.get(routed.route.port) if routed.route.kind == "tcp" else None)
        if holder:
            yield Finding(("services", routed.name), f"{claim} is taken by {holder}", at="key")
        elif routed.route.kind == "tcp" and routed.route.port + span(stack) - 1 > LAST_PORT:
            yield Finding(("services", routed.name), beyond(routed.route.port, span(stack)), at="key")
        claims.setdefault(claim, routed.name)
