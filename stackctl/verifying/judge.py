"""The judge: what must be, against what each layer showed, instance by instance.

engine = what the spec wants; registry = engine; each balancer's running config = registry; a virtual address is had by
one machine; traffic through each balancer and each published entry = config. The first difference is named. Nothing
observed is never agreement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from stackctl.domain.balancer import backends
from stackctl.domain.catalog import Catalog, CatalogEntry, passing, servable
from stackctl.domain.instance import Endpoint, EngineState, steadiest
from stackctl.domain.observation import BalancerSeen, Observation, Resolved, Traffic
from stackctl.domain.verdict import (
    Divergence,
    Expectation,
    ExpectedService,
    Judgement,
    Layer,
    ServiceVerdict,
    TrafficVerdict,
)
from stackctl.planning.placement import load_of, places
from stackctl.verifying.entry import held, unproven

REGISTERING = (
    "consul",
    "redis",
    "sentinel",
    "registrator",
)  # the parts whose illness explains a difference of the registry

Members = Mapping[str, Endpoint | None]  # instance id → where it answers


def judge(expectation: Expectation, seen: Observation) -> Judgement:
    """Every service of the expectation through every layer of one observation."""
    services = tuple(_judge_service(expectation, service, seen) for service in expectation.services)
    revisions = sorted({balancer.revision for balancer in seen.balancers if balancer.revision})
    return Judgement(seen.at, "+".join(revision[:8] for revision in revisions), services)


def desired_ids(stack: str, service: ExpectedService, engine: EngineState) -> tuple[str, ...]:
    """The ids that must serve: existing instances that stay, oldest first, then the names that new ones would get."""
    staying = steadiest(instance for instance in engine.of(service.name) if instance.state != "removing")
    existing = tuple(sorted(staying[: service.replicas], key=lambda instance: (instance.created, instance.id)))
    new = places(stack, service.name, service.nodes, existing, load_of(engine))
    return (*(i.id for i in existing), *(place.id for place in islice(new, service.replicas - len(existing))))


def _judge_service(expectation: Expectation, service: ExpectedService, seen: Observation) -> ServiceVerdict:
    existing = seen.engine.of(service.name)
    catalog = seen.catalogs.get(service.catalog_name, Catalog(service.catalog_name))
    draining = {entry.id: entry.drain_reason for entry in catalog.entries if entry.draining}
    serving: Members = {i.id: i.endpoint for i in existing if i.serving and i.id not in draining}
    desired = desired_ids(expectation.stack, service, seen.engine)
    if service.given is not None:  # nobody but the spec can say that these are there
        serving = {id: endpoint for id, endpoint in service.given.items() if id not in draining}
        desired = tuple(service.given)
    registered: Members = {entry.id: entry.endpoint for entry in passing(catalog.entries)}
    configs: dict[str, Members] = {
        balancer.id: {backend.id: backend.endpoint for backend in balancer.backends.get(service.name, ())}
        for balancer in seen.balancers
    }
    ways: dict[str, Traffic] = {b.id: b.traffic[service.name] for b in seen.balancers if service.name in b.traffic}
    ways |= {entry: traffic[service.name] for entry, traffic in seen.entries.items() if service.name in traffic}
    traffic = {way: _attribute(met, serving) for way, met in ways.items()} if service.routed else {}
    resolved = seen.resolved.get(service.catalog_name, (Resolved(),)) if service.resolved else ()

    divergence = _engine(service, desired, seen.engine, serving, draining)
    if service.registered:
        divergence = divergence or _registry(serving, registered, catalog, seen, fixed=expectation.fixed)
    if service.routed:
        divergence = divergence or _config(
            service, expectation.balancers, registered, configs, seen.balancers, weights=expected_weights(catalog)
        )
        divergence = divergence or held(expectation, seen.keepers)
        divergence = divergence or unproven(expectation.shared, service, traffic)
        divergence = divergence or _traffic(service, configs, registered, traffic, expectation.balancers)
    for answer in resolved:
        divergence = divergence or _dns(registered, answer)
    return ServiceVerdict(
        service.name,
        desired,
        engine=tuple(sorted(serving)),
        registry=tuple(sorted(registered)) if service.registered else (),
        config={id: tuple(sorted(members)) for id, members in configs.items()} if service.routed else {},
        traffic=traffic,
        dns=_named(registered, resolved[0]) if resolved else {},
        divergence=divergence,
    )


def _engine(
    service: ExpectedService,
    desired: tuple[str, ...],
    engine: EngineState,
    serving: Members,
    draining: Mapping[str, str],
) -> Divergence | None:
    if not service.replicas and not serving:
        return Divergence("engine", reason="0 instances are wanted: there is nothing to prove", lasting=True)
    if engine.unreachable and service.given is None:  # nobody knows what runs there, and so nothing is proven
        words = [f"{node} does not answer: {reason}" for node, reason in sorted(engine.unreachable.items())]
        missing = tuple(sorted(id for id in desired if id not in serving))
        return Divergence("engine", missing, (), "; ".join(words))
    if difference := _difference("engine", dict.fromkeys(desired), serving):
        existing = engine.of(service.name)
        states = {i.id: _drained(draining[i.id]) if i.serving and i.id in draining else i.condition for i in existing}
        states |= {id: _drained(reason) for id, reason in draining.items() if id not in states}
        words = [f"{id} is {states.get(id, 'absent')}" for id in difference.missing]
        words += [f"{id} runs and the stack wants {service.replicas}" for id in difference.extra]
        return Divergence("engine", difference.missing, difference.extra, "; ".join(words))
    homeless = tuple(sorted(id for id, endpoint in serving.items() if endpoint is None))
    if homeless:
        return Divergence("engine", homeless, (), f"{', '.join(homeless)} has no address on the stack's network")
    return None


def _drained(reason: str) -> str:
    return f"draining ({reason})" if reason else "draining"


def _registry(
    serving: Members, registered: Members, catalog: Catalog, seen: Observation, *, fixed: bool
) -> Divergence | None:
    ill = [f"{i.id} is {i.condition}" for i in seen.engine.instances if i.role in REGISTERING and not i.serving]
    if seen.registry_lost:
        reason = "; ".join((f"no consistent answer: {seen.registry_lost}", *ill))
        return Divergence("registry", tuple(sorted(serving)), (), reason)
    if difference := _difference("registry", serving, registered, "registered at {now}, runs at {was}"):
        present = {entry.id: entry for entry in catalog.entries}
        aside = {item.id: item.reason for item in catalog.set_aside}
        words = [difference.reason] if difference.reason else []
        for id in difference.missing:
            if id in seen.set_aside:
                words.append(f"{id} is set aside: {seen.set_aside[id]}")
            elif id in aside:
                words.append(f"{id} is set aside: {aside[id]}")
            elif id not in registered and fixed:
                words.append(f"{id} is not in the list, which is fixed: nobody watches, so no waiting will help")
            elif id not in registered:
                words.append(f"{id} {_absence(present.get(id))}")
        words += [f"{id} is registered and no such instance serves" for id in difference.extra if id not in serving]
        return Divergence("registry", difference.missing, difference.extra, "; ".join(words + ill), lasting=fixed)
    if strange := _strange(serving, catalog):
        words = [f"{id} {why}" for id, why in sorted(strange.items())]
        return Divergence("registry", (), tuple(sorted(strange)), "; ".join(words))
    if seen.weakened:
        # The catalog is right, but not as safe as the stack wants it: one more loss, and nobody leads any more.
        parts = ", ".join(seen.weakened)
        reason = f"{parts} can't do their part in the registry yet: another loss would be the loss of all"
        return Divergence("registry", reason=reason)
    return None


def _strange(serving: Members, catalog: Catalog) -> Mapping[str, str]:
    """What passes beside the instances' own registrations, by the registration's id, and why it is none of them.

    Whoever asks the registry is led there.
    """
    aside = [item for item in catalog.set_aside if item.passing and item.id not in serving]
    found = {item.id: f"is registered, and its values can't be used: {item.reason}" for item in aside}
    known: dict[str, str] = {}
    for entry in sorted(passing(catalog.entries), key=lambda e: not e.owner):  # who has an owner was there by right
        if entry.id in known and not entry.owner:
            found[entry.registration] = f"is a second registration of {entry.id}, beside {known[entry.id]}"
        known.setdefault(entry.id, entry.registration)
    return found


def _absence(entry: CatalogEntry | None) -> str:
    if entry and entry.unasked:
        return "was not asked yet by the registry's agent, which was started again"
    return "is failing its check" if entry else "is not registered"


def expected_weights(catalog: Catalog) -> Mapping[str, int]:
    """The weight that a balancer gives to each instance, by id."""
    return {backend.id: backend.weight for backend in backends(servable(catalog.entries))}


def _config(
    service: ExpectedService,
    wanted: int,
    registered: Members,
    configs: Mapping[str, Members],
    balancers: Iterable[BalancerSeen],
    *,
    weights: Mapping[str, int],
) -> Divergence | None:
    if len(configs) != wanted:
        return Divergence("config", reason=f"{len(configs)} balancers run and the stack wants {wanted}")
    for balancer in balancers:
        name, missing = balancer.id, tuple(sorted(registered))
        if balancer.unreachable:
            return Divergence("config", missing, (), f"{name} can't be asked: {balancer.unreachable}")
        difference = _difference("config", registered, configs[name], "the config has {now}, the registry {was}")
        if difference:
            cause = balancer.tampered or balancer.agent or f"it runs revision {balancer.revision[:8]}"
            reason = "; ".join(filter(None, (difference.reason, cause)))
            return Divergence("config", difference.missing, difference.extra, f"{name}: {reason}")
        given = {backend.id: backend.weight for backend in balancer.backends.get(service.name, ())}
        wrong = sorted(id for id, weight in weights.items() if given.get(id, weight) != weight)
        if wrong:
            reason = f"{name}: the weights of {', '.join(wrong)} are not the registry's"
            return Divergence("config", tuple(wrong), (), reason)
        if balancer.rejected:
            reason = f"{name}: the config that it should run is refused: {balancer.rejected}"
            return Divergence("config", (), (), reason, lasting=True)
        if balancer.tampered:
            return Divergence("config", balancer.dropped.get(service.name, ()), (), f"{name}: {balancer.tampered}")
    return None


def _traffic(
    service: ExpectedService,
    configs: Mapping[str, Members],
    registered: Members,
    traffic: Mapping[str, TrafficVerdict],
    balancers: int,
) -> Divergence | None:
    reached = {int(way.rpartition(":")[2]) for way in traffic if way.startswith("entry ")}
    if closed := sorted(service.ports - reached):
        shut = ", ".join(map(str, closed))
        return Divergence("traffic", tuple(sorted(registered)), (), f"no balancer publishes the entry's port {shut}")
    # Each balancer from inside, and through at least one port that it publishes.
    if len(traffic) < 2 * balancers or not all(way.requests for way in traffic.values()):
        return Divergence("traffic", tuple(sorted(registered)), (), "not every way in was probed")
    for way, met in traffic.items():
        expected = configs.get(way, registered)
        missing = tuple(sorted(id for id in expected if not met.by_instance.get(id)))
        words = list(met.seen.reasons)
        words += [f"{met.strangers} answers from no instance of the service"] if met.strangers else []
        if missing:
            words.append(f"{', '.join(missing)} answered none of {met.requests} requests")
        if missing or met.strangers or met.errors:
            return Divergence("traffic", missing, (), f"through {way}: {'; '.join(words)}")
    return None


def _dns(registered: Members, resolved: Resolved) -> Divergence | None:
    where = f"on {resolved.node}: " if resolved.node else ""
    if resolved.lost:
        return Divergence("dns", tuple(sorted(registered)), (), where + resolved.lost)
    wanted = {str(endpoint): id for id, endpoint in registered.items() if endpoint}
    addresses = {endpoint.address for endpoint in registered.values() if endpoint}
    words = []
    if strangers := sorted({*resolved.endpoints} - wanted.keys()) + sorted({*resolved.addresses} - addresses):
        words.append(f"DNS answers with {', '.join(strangers)}, where no instance is registered")
    missing = {id for endpoint, id in wanted.items() if endpoint not in resolved.endpoints}
    missing |= {id for id, endpoint in registered.items() if endpoint and endpoint.address not in resolved.addresses}
    if missing:
        words.append(f"DNS (A and SRV) does not answer with {', '.join(sorted(missing))}")
    return Divergence("dns", tuple(sorted(missing)), (), where + "; ".join(words)) if words else None


def _named(registered: Members, resolved: Resolved) -> dict[str, tuple[str, ...]]:
    """The instances that each kind of answer gives, by id where it is known."""
    by_endpoint = {str(endpoint): id for id, endpoint in registered.items() if endpoint}
    by_address = {endpoint.address: id for id, endpoint in registered.items() if endpoint}
    return {
        "A": tuple(sorted(by_address.get(address, address) for address in resolved.addresses)),
        "SRV": tuple(sorted(by_endpoint.get(endpoint, endpoint) for endpoint in resolved.endpoints)),
    }


def _attribute(met: Traffic, serving: Members) -> TrafficVerdict:
    owners = {str(endpoint): id for id, endpoint in serving.items() if endpoint}
    by_instance = {id: met.answered[endpoint] for endpoint, id in sorted(owners.items()) if met.answered.get(endpoint)}
    strangers = sum(n for endpoint, n in met.answered.items() if endpoint not in owners)
    strangers += sum(n for endpoint, n in met.failed.items() if endpoint and endpoint not in owners)
    return TrafficVerdict(met.requests, met.errors, by_instance, strangers, met)


def _difference(layer: Layer, want: Members, have: Members, moved: str = "") -> Divergence | None:
    """Ids that one side lacks; with `moved`, also those whose endpoints differ, explained by that text."""
    missing = {id for id in want if id not in have}
    extra = {id for id in have if id not in want}
    elsewhere = sorted(id for id in want if moved and id in have and want[id] != have[id])
    words = [f"{id}: " + moved.format(now=have[id], was=want[id]) for id in elsewhere]
    missing |= set(elsewhere)
    if missing or extra:
        return Divergence(layer, tuple(sorted(missing)), tuple(sorted(extra)), "; ".join(words))
    return None
