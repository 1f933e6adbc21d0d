"""Routes: how the entry reaches a service, and how they are written in specs, labels and registrations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stackctl.domain.instance import DNS_LABEL

RouteKind = Literal["path", "host", "tcp", "tls"]
ROUTE_META = "route"
# Ports that the balancer's container uses itself: the entry, TLS, revision, agent, TLS passed on.
IN_USE = frozenset({80, 443, 8089, 8090, 8444})
# What an nginx map takes for something else than a name.
MAP_WORDS = frozenset({"default", "hostnames", "include", "volatile"})
STRIP_META = "route-strip"

# A prefix is compared with the decoded path, so no percent signs; and nothing that means something to nginx.
_PATH = re.compile(r"/|(/[A-Za-z0-9._~:@+,=-]+)+/?")
_TCP_NAME = re.compile(r".+-(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Route:
    """By path prefix, by virtual host, by a tcp port of its own, or by the name in a TLS hello that is passed on.

    `strip` takes the prefix away before an instance sees the path.
    """

    kind: RouteKind
    path: str = "/"
    host: str = ""
    port: int = 0
    strip: bool = False

    def __str__(self) -> str:
        return {
            "path": self.path,
            "host": f"host:{self.host}",
            "tcp": f"tcp:{self.port}",
            "tls": f"tls:{self.host}",
        }[self.kind]

    @property
    def claim(self) -> str:
        """What only one service can have, in words."""
        return {
            "path": f"the path {self.path}",
            "host": f"the host {self.host}",
            "tcp": f"port {self.port}",
            "tls": f"the TLS name {self.host}",
        }[self.kind]


def parse_route(text: str, own_host: str) -> Route:
    """`/`, `/api`, `host` (which is `own_host`), `host:NAME`, `tcp:PORT`, `tls:NAME`; anything else is a ValueError."""
    kind, colon, rest = text.partition(":")
    if kind == "tcp" and colon:
        if not re.fullmatch(r"[0-9]{1,5}", rest) or not 0 < int(rest) < 65536:
            raise ValueError(f"{rest!r} is no port")
        if int(rest) in IN_USE:
            raise ValueError(f"port {rest} is used inside the balancer's own container")
        return Route("tcp", port=int(rest))
    if text == "host":
        return Route("host", host=own_host)
    if kind in ("host", "tls") and colon:
        if len(rest) > 189 or not all(DNS_LABEL.match(part) for part in rest.split(".")):
            raise ValueError(f"{rest!r} is no DNS name")
        if kind == "tls" and rest in MAP_WORDS:
            raise ValueError(f"{rest!r} can't be the name in a TLS hello")
        return Route("host" if kind == "host" else "tls", host=rest)
    if not _PATH.fullmatch(text) or ".." in text or "." in text.split("/"):  # nginx has taken these out already
        raise ValueError(f"{text!r} is no route")
    return Route("path", path=text.rstrip("/") or "/")


def route_of_registration(service: str, tags: Sequence[str], meta: Mapping[str, str], domain: str) -> Route | None:
    """How the entry reaches a service that only the registry knows; None where it asks for no route.

    The meta `route` says it in a route's own words; else the tag `http` asks for the virtual host <service>.<domain>,
    and the tag `tcp` for the port that the service's name ends in. Raises ValueError for a route that is none.
    """
    own_host = f"{service}.{domain}"
    if text := meta.get(ROUTE_META):
        route = parse_route(text, own_host)
        strip = meta.get(STRIP_META, "").lower() in ("1", "true")
        return Route(route.kind, route.path, route.host, route.port, strip)
    if "http" in tags:
        return Route("host", host=own_host)
    if "tcp" in tags and (named := _TCP_NAME.fullmatch(service)):
        return parse_route(f"tcp:{named[1]}", own_host)
    return None
