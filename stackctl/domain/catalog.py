"""The catalog: what the registry says now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

from stackctl.domain.instance import Endpoint

OWNER_META = "stackctl-owner"
INSTANCE_META = "stackctl-instance"
WEIGHT_META = "weight"
CANARY_META = "stackctl-canary"  # percent of all requests that the canaries of a service get together
UDP_TAG = "udp"  # what registrators give to ports that nothing here can route or connect to
MAINTENANCE_CHECK = "_service_maintenance:"

InitialStatus = Literal["passing", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class RegistryCheck:
    """The registry's own check of a registration; times in seconds.

    One of five says how: `http` is a whole URL, `tcp` an address with its port, `grpc` the same, and perhaps /service,
    `script` a shell's command line beside the registry, `ttl` how long somebody's report to the registry holds.
    `method` is the HTTP request's, empty for GET; `tls` is for gRPC over TLS; `skip_verify` takes any certificate.
    `status` is what counts until the first result.
    """

    http: str
    tcp: str
    interval: float
    timeout: float
    deregister_after: float
    grpc: str = ""
    script: str = ""
    ttl: float = 0.0
    method: str = ""
    tls: bool = False
    skip_verify: bool = False
    status: InitialStatus = "passing"


@dataclass(frozen=True, slots=True)
class Registration:
    """One instance as it is written to the registry; `owner` names the registrator that may remove it."""

    id: str
    service: str
    endpoint: Endpoint
    instance: str
    owner: str
    tags: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    check: RegistryCheck | None = None


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One registered instance as the registry returns it.

    `passing` is about the instance's own checks; `unasked` says that those which fail were not made yet since the
    registry's agent was started; `node_alive` is about that agent, which reports them;
    `draining` is maintenance mode; `id` is the instance's id where stackctl registered it, else the registration's.
    `holder` is the registry's node that the registration lives on, where only that one can change it.
    """

    id: str
    service: str
    endpoint: Endpoint
    registration: str
    owner: str = ""
    passing: bool = True
    node_alive: bool = True
    draining: bool = False
    drain_reason: str = ""
    weight: int = 1
    tags: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    holder: str = ""
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """The names of all services that the registry has; `index` is for the next blocking query."""

    services: tuple[str, ...] = ()
    index: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Values:
    """Keys that begin with a prefix, and their values; `index` is for the next blocking query."""

    items: tuple[tuple[str, str], ...] = ()
    index: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A registered instance whose values may not reach a config, and why; `passing` is what the registry says of it.

    `id` can be shown; `registration` is the id as the registry has it, `holder` as in `CatalogEntry`.
    """

    id: str
    service: str
    reason: str
    passing: bool = True
    registration: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """One consistent answer of the registry for one service; `index` is Consul's, for the next blocking query."""

    service: str
    entries: tuple[CatalogEntry, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    index: int = field(default=0, compare=False)


def leading_to(registration: Registration, endpoint: Endpoint) -> Registration:
    """The same registration of an instance that has moved; its check goes along."""
    check = registration.check
    if check:
        http = urlsplit(check.http)._replace(netloc=str(endpoint)).geturl() if check.http else ""
        tcp = str(endpoint) if check.tcp else ""
        grpc = "".join((str(endpoint), *check.grpc.partition("/")[1:])) if check.grpc else ""
        check = replace(check, http=http, tcp=tcp, grpc=grpc)
    return replace(registration, endpoint=endpoint, check=check)


def passing(entries: Iterable[CatalogEntry]) -> tuple[CatalogEntry, ...]:
    """The entries that the registry calls healthy, by id: what the proof holds the engine against."""
    well = (e for e in entries if e.passing and e.node_alive and not e.draining and UDP_TAG not in e.tags)
    return tuple(sorted(well, key=lambda e: e.id))


def believed(catalog: Catalog, served: Collection[str]) -> Catalog:
    """The catalog, with what was served before (by id) still passing where nobody has asked it since.

    A registry's agent that is started again calls every instance critical until it has made its checks, which takes
    up to an interval: that says nothing about the instances. One that did not serve before has to pass first.
    """
    entries = (replace(e, passing=True) if e.unasked and e.id in served else e for e in catalog.entries)
    return replace(catalog, entries=tuple(entries))


def servable(entries: Iterable[CatalogEntry]) -> tuple[CatalogEntry, ...]:
    """The entries that a balancer sends traffic to.

    The loss of a registry agent is not the loss of its instances: when every entry that passes its own checks is
    only on nodes whose agent is gone, those entries stay; as soon as one node is alive, its entries alone count.
    """
    own = [e for e in entries if e.passing and not e.draining and UDP_TAG not in e.tags]
    alive = [e for e in own if e.node_alive]
    return tuple(sorted(alive or own, key=lambda e: e.id))
