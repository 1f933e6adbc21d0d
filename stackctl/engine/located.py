"""Where a host is: the address by which other machines reach it, found from the way to its engine."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address

from stackctl.domain.host import Host
from stackctl.engine.client import DEFAULT, engine_address
from stackctl.engine.contexts import find_context
from stackctl.errors import UsageError


def located(host: Host) -> Host:
    """The host with its address: as the spec says, else that of its engine. Raises `UsageError` where there is none."""
    if host.address:
        return host
    if host.context not in ("", DEFAULT) and find_context(host.context) is None:
        message = f"there is no Docker context {host.context!r}"
        raise UsageError("no-such-context", message, where=f"hosts.{host.name}", hint="`docker context ls` lists them")
    found = engine_address(host)
    try:
        address = socket.getaddrinfo(found, None, socket.AF_INET)[0][4][0]
    except OSError:
        address = ""
    if not address or ip_address(address).is_loopback:
        message = f"other machines do not reach {found}" if address else f"{found} has no IPv4 address"
        hint = f"say `address` in hosts.{host.name}"
        raise UsageError("host-without-address", message, where=f"hosts.{host.name}", hint=hint)
    return replace(host, address=str(address))
