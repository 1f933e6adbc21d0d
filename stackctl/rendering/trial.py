"""A template of one's own, tried with made-up values before anything is launched with it."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace

import jinja2

from stackctl.domain.balancer import Backend, BalancerSettings, RoutedService, Target
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.route import Route
from stackctl.rendering.files import compiled
from stackctl.rendering.nginx import OWN, render
from stackctl.rendering.templates import TEMPLATE_FAILURES, environment
from stackctl.spec.bundled import bundled

SERVICES = (
    RoutedService("web", "web", Route("path", "/")),
    RoutedService("api", "api", Route("path", "/api", strip=True)),
    RoutedService("admin", "admin", Route("host", host="admin.example.test")),
    RoutedService("echo-9999", "echo-9999", Route("tcp", port=9999)),
    RoutedService("db", "db", Route("tls", host="db.example.test")),
)
SETTINGS = BalancerSettings(
    "trial", "example.test", True, 0.5, 30.0, RegistrySettings("static"), SERVICES, https=True, tls=True
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong, and on which line of the template."""

    line: int
    message: str


def flaw(text: str, names: Iterable[str] = ()) -> Flaw | None:
    """The first thing wrong with a template, rendered with every kind of route and a path for each of these services,
    with instances and without any."""
    known = {service.name for service in SERVICES}
    own = (RoutedService(name, name, Route("path", f"/{name}")) for name in names if name not in known)
    services = (*SERVICES, *own)
    templates = environment(bundled("templates") / "nginx", {OWN: text})
    member = Backend("trial-web-1", Endpoint("192.0.2.1", 80))
    empty = Target(services, {service.name: () for service in services})
    full = replace(empty, backends={service.name: (member,) for service in services})
    try:
        template = templates.get_template(OWN)
        for target in (empty, full):
            config = render(template, SETTINGS, target, token="", run="/run/stackctl")
            if f'return 200 "{config.revision}' not in config.text or f"revision {config.revision}" not in config.text:
                return Flaw(1, 'it does not extend "nginx.conf.j2", and does not serve its revision itself')
    except TEMPLATE_FAILURES as error:
        return _flaw(error)
    return None


def flaw_of_file(text: str) -> Flaw | None:
    """What is wrong with the template of another file, whoever and whatever will be registered."""
    try:
        compiled(text)
    except TEMPLATE_FAILURES as error:
        return _flaw(error)
    return None


def _flaw(error: Exception) -> Flaw:
    match error:
        case jinja2.TemplateSyntaxError():
            return Flaw(error.lineno, error.message or "a syntax error")
        case jinja2.TemplatesNotFound():
            return Flaw(line_of(error), str(error))
        case jinja2.TemplateNotFound():
            return Flaw(line_of(error), f"there is no template {error.name!r}")
        case RecursionError():
            return Flaw(line_of(error), "it calls itself without end, or is nested too deeply")
        case SyntaxError():
            return Flaw(1, f"it can't be compiled: {error.msg}")  # the line would be that of generated code
    return Flaw(line_of(error), str(error))


def line_of(error: Exception) -> int:
    """The line of the own template on which it happened: Jinja2 puts it into the traceback."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename in (OWN, "<template>")
    ]
    return next((line for line in reversed(lines) if line), 1)
