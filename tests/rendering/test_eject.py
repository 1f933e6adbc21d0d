"""Ejected balancers: golden templates, the same routes as ours, and refusals with a way out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.domain.balancer import BalancerSettings
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.stack import (
    Balancer,
    ConsulRegistry,
    ImageSource,
    RedisRegistry,
    Route,
    Service,
    Stack,
    StaticRegistry,
)
from stackctl.errors import UsageError
from stackctl.planning.entry import routed_services
from stackctl.rendering.eject import Tool, eject
from tests.golden import golden

TEMPLATES = Path(__file__).parents[2] / "templates"
IMAGE = ImageSource("bundled", "whoami")
SERVICES = (
    Service("web", IMAGE, 80, route=Route("path", "/")),
    Service("api-v2", IMAGE, 8080, route=Route("path", "/api"), weight=10),
    Service(
        "live", IMAGE, 8080, route=Route("path", "/live", strip=True), compose={"labels": {"SERVICE_NAME": "zhibo"}}
    ),
    Service("admin", IMAGE, 80, route=Route("host", host="admin.example.test")),
    Service("echo", IMAGE, 9999, route=Route("tcp", port=9999)),
    Service("internal", IMAGE, 80),
)
CONSUL = Stack("shop", SERVICES, registry=ConsulRegistry(ui=8510), balancer=Balancer(http=8080, stub_status=True))
REDIS = replace(CONSUL, registry=RedisRegistry(prefix="/work"))


def ejected(tool: Tool, stack: Stack) -> dict[str, str]:
    """As `render --for` writes it."""
    kind = {ConsulRegistry: "consul", RedisRegistry: "redis", StaticRegistry: "static"}[type(stack.registry)]
    told = BalancerSettings(
        stack.name,
        stack.balancer.domain,
        stack.balancer.stub_status,
        stack.balancer.connect_timeout,
        30.0,
        RegistrySettings(kind),  # type: ignore[arg-type]
        routed_services(stack),
        https=stack.balancer.https is not None,
        template=stack.balancer.template,
        empty=stack.balancer.empty,
    )
    return eject(tool, stack, told, TEMPLATES)


@pytest.mark.parametrize(("tool", "stack"), [("consul-template", CONSUL), ("confd", REDIS)])
def test_whole_files(tool: Tool, stack: Stack) -> None:
    """Every file in full: path, prefix, host and tcp routes, an internal service, weights, the status page."""
    files = ejected(tool, stack)
    assert (
        set(files)
        == {
            "consul-template": {
                "consul-template/nginx.ctmpl",
                "consul-template/consul-template.hcl",
                "consul-template/run.sh",
            },
            "confd": {"confd/conf.d/shop.toml", "confd/templates/shop.tmpl", "confd/run.sh"},
        }[tool]
    )
    for name, text in files.items():
        golden(f"eject/{name}", text)


def test_nothing_routed() -> None:
    """A stack that nobody reaches has a template all the same, and no empty stream."""
    text = ejected("consul-template", replace(CONSUL, services=SERVICES[-1:]))["consul-template/nginx.ctmpl"]
    assert "no service is routed here" in text and "stream {" not in text and "internal" not in text


def test_empty_is_the_stacks_status() -> None:
    """Without a passing instance, the status that the stack asks for."""
    told = replace(CONSUL, balancer=replace(CONSUL.balancer, empty=502))
    assert (
        'return 502 "no instance of web is passing' in ejected("consul-template", told)["consul-template/nginx.ctmpl"]
    )


def test_own_template() -> None:
    """A template of one's own is not translated, and the result says so."""
    told = replace(CONSUL, balancer=replace(CONSUL.balancer, template="{{ x }}"))
    assert "own template is not translated" in ejected("consul-template", told)["consul-template/nginx.ctmpl"]


@pytest.mark.parametrize(
    ("tool", "stack", "id", "hint"),
    [
        ("confd", CONSUL, "registry-not-read", "--for consul-template"),
        ("consul-template", REDIS, "registry-not-read", "--for confd"),
        ("confd", replace(CONSUL, registry=StaticRegistry()), "registry-not-read", "fixed"),
        ("consul-template", replace(CONSUL, balancer=Balancer(https=443)), "route-not-ejected", "paths"),
        (
            "consul-template",
            replace(CONSUL, services=(Service("db", IMAGE, 1, route=Route("tls", host="db.test")),)),
            "route-not-ejected",
            "paths",
        ),
    ],
)
def test_refusals(tool: Tool, stack: Stack, id: str, hint: str) -> None:
    """What a tool can't do is refused, never left out in silence."""
    with pytest.raises(UsageError) as caught:
        ejected(tool, stack)
    assert caught.value.id == id and hint in caught.value.hint
