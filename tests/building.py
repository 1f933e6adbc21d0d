"""Values that many tests start from; each takes what it is about and fills in the rest."""

from __future__ import annotations

from stackctl.domain.balancer import Backend, Backends
from stackctl.domain.catalog import Catalog, CatalogEntry
from stackctl.domain.instance import Endpoint, EngineState, Health, Instance, State
from stackctl.domain.observation import BalancerSeen, Observation, Traffic
from stackctl.domain.route import Route
from stackctl.domain.stack import Balancer, Check, ImageSource, Service, Stack

IMAGES = {"consul": "consul:1", "registrator": "registrator:1", "balancer": "balancer:1", "whoami": "whoami:1"}


def endpoint(number: int) -> Endpoint:
    """10.0.0.<number>:80."""
    return Endpoint(f"10.0.0.{number}", 80)


def instance(
    number: int,
    *,
    service: str = "web",
    role: str = "service",
    state: State = "running",
    health: Health = "none",
    digest: str = "d",
    created: float | None = None,
) -> Instance:
    """shop-<service>-<number>, created in the order of its number."""
    return Instance(
        id=f"shop-{service}-{number}",
        service=service,
        role=role,
        container=f"c{number}",
        state=state,
        health=health,
        created=float(number) if created is None else created,
        digest=digest,
        image="whoami:1",
        endpoint=endpoint(number),
    )


def entry(number: int, *, passing: bool = True, node_alive: bool = True, draining: bool = False) -> CatalogEntry:
    """The registration of shop-web-<number>."""
    id = f"shop-web-{number}"
    return CatalogEntry(id, "web", endpoint(number), id, "shop/registrator", passing, node_alive, draining)


def backends(*numbers: int) -> Backends:
    """Backends of web."""
    return {"web": tuple(sorted(Backend(f"shop-web-{n}", endpoint(n)) for n in numbers))}


def traffic(*numbers: int) -> Traffic:
    """Four good answers from each of these instances."""
    return Traffic(4 * len(numbers), {str(endpoint(n)): 4 for n in numbers})


def observation(*numbers: int, at: float = 0.0) -> Observation:
    """Every layer shows exactly these instances of web."""
    met = {"web": traffic(*numbers)}
    return Observation(
        at,
        EngineState(tuple(instance(n) for n in numbers)),
        {"web": Catalog("web", tuple(entry(n) for n in numbers))},
        balancers=(BalancerSeen("shop-lb-1", "abcdef123456", backends(*numbers), traffic=met),),
        entries={"entry 127.0.0.1:8080": met},
    )


def stack(replicas: int = 1, **service: object) -> Stack:
    """The stack `shop` with one routed service `web`."""
    web = Service(
        "web",
        ImageSource("bundled", "whoami"),
        80,
        replicas=replicas,
        route=Route("path", "/"),
        check=Check("http", "/healthz"),
        **service,  # type: ignore[arg-type]
    )
    return Stack("shop", (web,), balancer=Balancer(http=8080))
