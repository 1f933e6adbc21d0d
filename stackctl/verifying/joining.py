"""Whether new instances serve at every layer, or will never: the proof, read for a few instances alone. Pure.

What other instances do is left out, so that a service that is broken now can be replaced by one that is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackctl.domain.instance import EngineState, Instance, Run
from stackctl.domain.observation import Observation
from stackctl.domain.plan import Plan
from stackctl.domain.verdict import Expectation, ExpectedService, Judgement, Layer, ServiceVerdict

OVER = ("exited", "dead", "restarting", "removing")
NO_RUN = Run()


@dataclass(frozen=True, slots=True)
class Failure:
    """An instance that does not serve, at which layer, and why; `instance` is empty where none could be made."""

    instance: str
    layer: Layer
    reason: str

    def __str__(self) -> str:
        return f"{self.instance} at {self.layer}: {self.reason}" if self.instance else f"{self.layer}: {self.reason}"


def broken(ids: Iterable[str], seen: EngineState, runs: Mapping[str, Run]) -> Failure | None:
    """The first of these instances that has ended, restarts, or is unhealthy: no waiting will help."""
    instances = {instance.id: instance for instance in seen.instances}
    for id in ids:
        instance, run = instances.get(id), runs.get(id, NO_RUN)
        if instance is None:
            return Failure(id, "engine", "it is gone")
        if run.restarts or instance.state in OVER:
            return Failure(id, "engine", _ended(instance, run))
        if instance.health == "unhealthy":
            return Failure(id, "engine", "its health check fails: it is unhealthy")
    return None


def refused(ids: Iterable[str], service: ExpectedService, seen: Observation) -> Failure | None:
    """The first of these instances whose registration can't be used, or that answered a request with an error."""
    chosen = set(ids)
    catalog = seen.catalogs.get(service.catalog_name)
    for aside in (item for item in (catalog.set_aside if catalog else ()) if item.id in chosen):
        return Failure(aside.id, "registry", f"it is set aside: {aside.reason}")
    endpoints = {str(i.endpoint): i.id for i in seen.engine.instances if i.id in chosen and i.endpoint}
    ways = {balancer.id: balancer.traffic for balancer in seen.balancers} | dict(seen.entries)
    for way, traffic in ways.items():
        met = traffic.get(service.name)
        for endpoint in (e for e in (met.failed if met else ()) if e in endpoints):
            reasons = [reason for reason in met.reasons if reason.startswith(f"{endpoint}: ")] if met else []
            word = reasons[0].partition(": ")[2] if reasons else "it answered requests with errors"
            return Failure(endpoints[endpoint], "traffic", f"through {way}: {word}")
    return None


def lacking(
    ids: Iterable[str], expectation: Expectation, service: ExpectedService, verdict: ServiceVerdict, *, traffic: bool
) -> Failure | None:
    """The first layer at which one of these instances is not seen (yet); `traffic` says whether requests were sent."""
    for id in ids:
        if id not in verdict.engine:
            return Failure(id, "engine", "it is not healthy yet, or it is draining")
        if service.registered and id not in verdict.registry:
            return Failure(id, "registry", "it is not registered as passing")
        if service.resolved and traffic and not all(id in members for members in verdict.dns.values()):
            return Failure(id, "dns", "DNS does not answer with it")
        if not service.routed:
            continue
        absent = [balancer for balancer, members in verdict.config.items() if id not in members]
        if absent or len(verdict.config) < expectation.balancers:
            return Failure(id, "config", f"it is not served by {', '.join(absent) or 'every balancer'}")
        if traffic:
            unmet = [way for way, met in verdict.traffic.items() if not met.by_instance.get(id)]
            if unmet or len(verdict.traffic) < 2 * expectation.balancers:
                return Failure(id, "traffic", f"it answered nothing through {', '.join(unmet) or 'every way in'}")
    return None


def not_succeeded(plan: Plan, goal: Expectation, judgement: Judgement, seen: EngineState) -> Failure | None:
    """Why what leaves by this plan can't leave yet: what stays of its service does not serve.

    Where nothing was made to take over, and what leaves does not serve either, nobody is missed. Canaries are counted,
    and take over for nobody.
    """
    for service, verdict in zip(goal.services, judgement.services, strict=True):
        leaving = {o.instance for o in plan.of("drain") if o.service == service.name}
        staying = [instance for instance in seen.of(service.name) if instance.id not in leaving]
        if not leaving or not service.replicas:
            continue
        failure = lacking((i.id for i in staying if not i.canary), goal, service, verdict, traffic=True)
        if len(staying) < service.replicas:
            failure = Failure("", "engine", f"{service.name} has {len(staying)} that stay, and {service.replicas} must")
        made = any(o.service == service.name for o in plan.of("create", "start", "unpause"))
        served = any(lacking((id,), goal, service, verdict, traffic=True) is None for id in sorted(leaving))
        if failure and (made or served):
            return failure
    return None


def _ended(instance: Instance, run: Run) -> str:
    times = f", restarted {run.restarts} times" if run.restarts > 1 else ", restarted once" if run.restarts else ""
    cause = "it ran out of memory" if run.out_of_memory else f"exit code {run.exit_code}"
    if instance.state == "running" and not run.out_of_memory:  # the engine forgets how the last run ended
        return f"it ended{times}"
    return f"it is {instance.state}{times} ({cause})" if instance.state != "running" else f"it ended{times} ({cause})"
