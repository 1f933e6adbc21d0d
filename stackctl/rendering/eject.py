"""The balancer as it is made by hand: a stack's routes as templates of consul-template or confd.

For readers who know such a template and want to compare, and for who wants to leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from stackctl.domain.balancer import BalancerSettings
from stackctl.domain.stack import ConsulRegistry, RedisRegistry, Stack
from stackctl.errors import UsageError
from stackctl.rendering.templates import environment

Tool = Literal["consul-template", "confd"]
REGISTRIES: Mapping[Tool, type] = {"consul-template": ConsulRegistry, "confd": RedisRegistry}


def eject(tool: Tool, stack: Stack, settings: BalancerSettings, templates: Path) -> dict[str, str]:
    """Template, configuration and command by their path; raises `UsageError` where the tool can't do what is asked."""
    _refuse(tool, stack, settings)
    # Not {{ }}: that is Go's, in which these tools' templates are written.
    jinja = environment(templates / "eject").overlay(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    told = {
        "tool": tool,
        "dialect": f"{tool}.j2",
        "stack": stack.name,
        "own": bool(settings.template),
        "services": settings.services,
        "weights": {service.name: service.weight for service in stack.services},
        "entry": stack.balancer.http,
        "empty": settings.empty,
        "stub_status": settings.stub_status,
        "connect_timeout": f"{round(settings.connect_timeout * 1000)}ms",
        "ui": stack.registry.ui if isinstance(stack.registry, ConsulRegistry) else None,
        "prefix": stack.registry.prefix if isinstance(stack.registry, RedisRegistry) else "",
    }
    return {
        f"{tool}/{path}": jinja.get_template(template).render(told) for path, template in _paths(tool, stack).items()
    }


def _paths(tool: Tool, stack: Stack) -> Mapping[str, str]:
    if tool == "consul-template":
        return {
            "nginx.ctmpl": "nginx.j2",
            "consul-template.hcl": "consul-template.hcl.j2",
            "run.sh": "consul-template.run.sh.j2",
        }
    return {
        f"templates/{stack.name}.tmpl": "nginx.j2",
        f"conf.d/{stack.name}.toml": "confd.toml.j2",
        "run.sh": "confd.run.sh.j2",
    }


def _refuse(tool: Tool, stack: Stack, settings: BalancerSettings) -> None:
    if not isinstance(stack.registry, REGISTRIES[tool]):
        other = next((name for name, kind in REGISTRIES.items() if isinstance(stack.registry, kind)), None)
        raise UsageError(
            "registry-not-read",
            f"{tool} can't read this stack's registry as stackctl writes it",
            where=stack.origin,
            hint=f"use --for {other}" if other else "its list is fixed, and no tool follows it",
        )
    odd = [str(service.route) for service in settings.services if service.route.kind == "tls"]
    if odd or settings.https:
        what = f"the route {odd[0]}" if odd else "`https`"
        raise UsageError(
            "route-not-ejected",
            f"{what} is not translated for {tool}",
            where=stack.origin,
            hint="paths, hosts and tcp ports are",
        )
