"""The nginx config: golden text, revisions that see every edit, and nothing but typed values in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.balancer import Backend, Backends, BalancerSettings, RoutedService, Target
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.route import Route
from stackctl.rendering.nginx import RenderedConfig, backends_in, render, revision_of
from stackctl.rendering.templates import environment
from tests.building import backends
from tests.golden import golden

TEMPLATE = environment(Path(__file__).parents[2] / "templates" / "nginx").get_template("nginx.conf.j2")
TOKEN = "0123456789abcdef"
WEB = RoutedService("web", "web", Route("path", "/"))
API = RoutedService("api", "api", Route("path", "/api"))
ADMIN = RoutedService("admin", "admin", Route("host", "/", "admin.example.test"))


def settings(*services: RoutedService, stub_status: bool = False) -> BalancerSettings:
    return BalancerSettings("shop", "example.test", stub_status, 0.5, 30.0, RegistrySettings("consul"), services)


def target(told: BalancerSettings, members: Backends) -> Target:
    return Target(told.services, {service.name: members.get(service.name, ()) for service in told.services})


def rendered(told: BalancerSettings, members: Backends) -> RenderedConfig:
    return render(TEMPLATE, told, target(told, members), token=TOKEN, run="/run/stackctl")


def test_one_service() -> None:
    """Three instances of one service on the whole site."""
    golden("nginx/one-service.conf", rendered(settings(WEB), backends(1, 2, 3)).text)


@pytest.mark.parametrize(("servers", "size"), [(3, 256), (127, 256), (128, 512), (1000, 2048), (5000, 10240)])
def test_the_zone_grows_with_its_servers(servers: int, size: int) -> None:
    """Each has room for two kilobytes, of which nginx takes less than one: in 256k it has none for 350 servers."""
    members = {"web": tuple(Backend(f"shop-web-{n}", Endpoint("10.0.0.1", n)) for n in range(1, servers + 1))}
    assert f"zone web {size}k;" in rendered(settings(WEB), members).text


def test_all_routes() -> None:
    """Path and host routes beside each other, an empty service, and the status page."""
    members = {**backends(1), "admin": (Backend("shop-admin-1", Endpoint("2001:db8::1", 8080), 5),)}
    golden("nginx/all-routes.conf", rendered(settings(WEB, API, ADMIN, stub_status=True), members).text)


def test_nothing_routed() -> None:
    """Without a service on the site, every path says so."""
    golden("nginx/nothing-routed.conf", rendered(settings(ADMIN), {}).text)


def test_a_page_of_nginxs_own() -> None:
    """Where keepalived asks whether nginx lives, nginx answers itself, whatever is routed, and only there."""
    with_page = rendered(replace(settings(WEB), alive=True), backends(1)).text
    location = "        location = /.stackctl/alive {\n            access_log off;\n"
    page = location + '            return 200 "stackctl shop\\n";\n'
    assert page in with_page
    assert "/.stackctl/" not in rendered(settings(WEB), backends(1)).text


def test_revision() -> None:
    """Equal backends give equal revisions whatever the token; other backends give others."""
    first = rendered(settings(WEB), backends(1, 2))
    other_token = render(
        TEMPLATE, settings(WEB), target(settings(WEB), backends(1, 2)), token="f" * 16, run="/run/stackctl"
    )
    assert first.revision == other_token.revision
    assert first.revision != rendered(settings(WEB), backends(1)).revision
    assert f'return 200 "{first.revision}\\n"' in first.text


def test_revision_sees_edits() -> None:
    """A text that nobody touched has the revision that it claims; one without a server line has not."""
    config = rendered(settings(WEB), backends(1, 2))
    assert revision_of(config.text, claimed=config.revision, token=TOKEN) == config.revision
    edited = "".join(line for line in config.text.splitlines(keepends=True) if "10.0.0.2:80" not in line)
    assert revision_of(edited, claimed=config.revision, token=TOKEN) != config.revision
    assert [backend.id for backend in backends_in(edited)["web"]] == ["shop-web-1"]


@given(st.sets(st.integers(1, 250), max_size=20))
def test_backends_can_be_read_back(numbers: set[int]) -> None:
    """What is rendered is what an edited file is compared with."""
    found = backends_in(rendered(settings(WEB), backends(*numbers)).text)
    assert tuple(found.get("web", ())) == backends(*numbers)["web"]


@pytest.mark.parametrize("address", ["10.0.0.1;", "$host", "a.example", "10.0.0.1\n", "{{ 1 }}", ""])
def test_only_addresses_are_endpoints(address: str) -> None:
    """No text but an IP address can become an endpoint, so none can reach a config."""
    with pytest.raises(ValueError, match="does not appear to be"):
        Endpoint(address, 80)
