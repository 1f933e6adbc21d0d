"""What a `deploy` asks for: checked, and turned into a rollout, the files it needs, and what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackctl.app.images import image_key, known_images, running_images
from stackctl.app.project import Project
from stackctl.domain.deployed import Canary, Deployed
from stackctl.domain.desired import Desired, Workload
from stackctl.domain.instance import EngineState
from stackctl.domain.plan import Plan
from stackctl.domain.stack import ImageSource, Service, StaticRegistry
from stackctl.errors import UsageError
from stackctl.planning.deploying import Rollout, rehearse
from stackctl.planning.entry import is_registered
from stackctl.planning.topology import topology
from stackctl.spec.bundled import SAMPLE_IMAGES


@dataclass(frozen=True, slots=True)
class Request:
    """The command line's words; `canary` is a percent, 0 for none."""

    service: str
    image: str = ""
    parallel: int = 1
    force: bool = False
    canary: int = 0
    promote: bool = False
    abort: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """A rollout with what it needs; `project` is the stack as it is to be, `left` what is remembered of the service
    when it is over, and `meanwhile` while it goes on."""

    project: Project
    request: Request
    seen: EngineState
    desired: Desired
    workload: Workload
    images: dict[str, str]
    own_images: dict[str, str]
    rollout: Rollout
    left: Deployed
    meanwhile: Deployed

    @property
    def plan(self) -> Plan:
        """All operations, if everything goes well."""
        return rehearse(self.rollout, self.seen, self.workload)


def deployment(project: Project, request: Request, seen: EngineState) -> Deployment:
    """Raises `UsageError` for what can't be done with this stack as it runs now."""
    service = _checked(project, request, seen)
    canaries = tuple(instance for instance in seen.of(service.name) if instance.canary)
    before = project.workspace.deployed().get(service.name, Deployed())
    if canaries and before.canary is None:  # launched from another folder: the engine knows it
        before = replace(before, canary=Canary(canaries[0].canary, ImageSource("reference", canaries[0].image)))
    _check_canaries(request, before)
    image = _image(request, before)
    stack = project.scaled()
    replicas = next(s.replicas for s in stack.services if s.name == service.name)
    chosen = replace(service, image=image or service.image, canary=request.canary, replicas=replicas)
    services = tuple(chosen if s.name == service.name else s for s in stack.services)
    own = replace(project, stack=replace(stack, services=services))
    known = known_images(own)
    key = image_key(chosen)
    fresh = {key: known[key]} if key in known else {}
    images = {**running_images(own, seen), **fresh}
    desired = topology(own.stack, images)
    workload = next(w for w in desired.workloads if w.name == service.name)
    left = {
        bool(request.canary): replace(before, canary=Canary(request.canary, image)),
        request.abort: replace(before, canary=None),
    }.get(True, Deployed(image))
    if not request.canary and not request.abort and chosen.replicas == 0:
        raise UsageError(
            "nothing-runs",
            f"{service.name} has 0 instances",
            where=f"services.{service.name}",
            hint=f"stackctl scale {service.name}=1 comes first",
        )
    # A canary is what the proof of a stack counts in, until it is gone.
    meanwhile = left if request.canary else replace(left, canary=before.canary)
    rollout = _rollout(request, chosen, workload, own.stack.name, seen)
    return Deployment(own, request, seen, desired, workload, images, fresh, rollout, left, meanwhile)


def _rollout(request: Request, service: Service, workload: Workload, stack: str, seen: EngineState) -> Rollout:
    members = frozenset(i.container for i in seen.of(service.name) if bool(i.canary) == bool(request.canary))
    return Rollout(
        stack,
        service.name,
        replicas=1 if request.canary else service.replicas,
        digest="" if request.abort else workload.digest,
        replaced=members if request.force else frozenset(),
        parallel=request.parallel,
        canary=bool(request.canary),
        retire="the canary is promoted" if request.promote else "the canary is aborted" if request.abort else "",
        nodes=workload.nodes,
        cause="asked for by --force" if request.force else f"the definition of {service.name} changed",
    )


def _image(request: Request, before: Deployed) -> ImageSource | None:
    """The image in the place of the spec's, if there is one."""
    if request.image:
        return ImageSource("bundled" if request.image in SAMPLE_IMAGES else "reference", request.image)
    if request.promote:
        return before.canary.image if before.canary else None
    return before.image if request.force or request.abort else None  # the same again is the same image


def _checked(project: Project, request: Request, seen: EngineState) -> Service:
    service, where = project.service(request.service), project.stack.origin
    if not any(instance.role == "balancer" for instance in seen.instances):
        name = project.stack.name
        raise UsageError("stack-not-up", f"the stack {name} is not up", where=where, hint=f"stackctl up {name}")
    if isinstance(project.stack.registry, StaticRegistry) and is_registered(service):
        message = f"the registry is a list that nobody keeps up to date: a new instance of {service.name} can't join"
        raise UsageError(
            "registry-fixed", message, where=where, hint="use `registry: {consul: {}}`, or `down` and `up`"
        )
    if request.canary and (service.register == "none" or not is_registered(service)):
        message = f"{service.name} is not registered, so that nobody could give its canary a share"
        raise UsageError("canary-unregistered", message, where=where, hint="deploy it without --canary")
    return service


def _check_canaries(request: Request, before: Deployed) -> None:
    name, where = request.service, f"services.{request.service}"
    if (request.promote or request.abort) and not before.canary:
        raise UsageError("no-canary", f"{name} has no canary", where=where, hint=f"stackctl deploy {name} --canary 10%")
    if before.canary and not (request.promote or request.abort or request.canary):
        message = f"{name} has a canary, which gets {before.canary.percent} % of the requests"
        raise UsageError("canary-runs", message, where=where, hint=f"stackctl deploy {name} --promote, or --abort")
