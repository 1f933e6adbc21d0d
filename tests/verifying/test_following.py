"""A balancer follows when its running config is what the registry has now: the same instances at the same places."""

from __future__ import annotations

from dataclasses import replace

from stackctl.domain.balancer import RoutedService
from stackctl.domain.route import Route
from stackctl.verifying.following import behind
from tests.building import backends, observation

ROUTED = (RoutedService("web", "web", Route("path", "/")),)
LB = "shop-lb-1"


def test_follows() -> None:
    """Equal is equal, nobody on both sides too."""
    assert behind(LB, ROUTED, observation(1, 2)) == ""
    assert behind(LB, ROUTED, observation()) == ""


def test_behind() -> None:
    """Who is missing, or served too many, is told with both sides; so is an endpoint that differs."""
    seen = observation(1, 2)
    late = replace(seen.balancers[0], backends=backends(1))
    words = behind(LB, ROUTED, replace(seen, balancers=(late,)))
    assert words == (
        "web: it serves shop-web-1 at 10.0.0.1:80, the registry has shop-web-1 at 10.0.0.1:80, "
        "shop-web-2 at 10.0.0.2:80; it runs revision abcdef12"
    )
    ghost = replace(seen.balancers[0], backends=backends(1, 2, 3), rejected="nginx refuses it")
    assert behind(LB, ROUTED, replace(seen, balancers=(ghost,))).endswith("; nginx refuses it")
    elsewhere = tuple(replace(b, id="shop-web-2") for b in backends(3)["web"])
    moved = replace(seen.balancers[0], backends={"web": (*backends(1)["web"], *elsewhere)})
    assert "shop-web-2 at 10.0.0.3:80" in behind(LB, ROUTED, replace(seen, balancers=(moved,)))


def test_unknown() -> None:
    """What can't be seen is not agreement: no such balancer, one that does not answer, a registry that is lost."""
    seen = observation(1)
    assert behind("shop-lb-2", ROUTED, seen) == "it does not run"
    silent = replace(seen.balancers[0], unreachable="gone")
    assert behind(LB, ROUTED, replace(seen, balancers=(silent,))) == "it can't be asked: gone"
    assert "no leader" in behind(LB, ROUTED, replace(seen, registry_lost="no leader"))
