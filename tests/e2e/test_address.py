"""Instances that are registered by the host's address, from the spec to the proof."""

from __future__ import annotations

import pytest

from tests.e2e.scenario import Scenario

pytestmark = pytest.mark.engine


def test_by_the_host(scenario: Scenario) -> None:
    """Each instance has a port of the host; registry, config and traffic agree on it, also after one more joined."""
    scenario.spec.write_text(scenario.spec.read_text() + "    address: host\n")
    scenario.stackctl("up", timeout=600)
    scenario.stackctl("scale", "web=2")
    document = scenario.verify()
    assert document["converged"] is True
    assert document["services"][0]["layers"]["engine"] == [scenario.id("web", 1), scenario.id("web", 2)]
    (gateway,) = {
        network["Gateway"]
        for number in (1, 2)
        for network in scenario.container("web", number).attrs["NetworkSettings"]["Networks"].values()
    }
    published = {scenario.container("web", n).ports["80/tcp"][0]["HostPort"] for n in (1, 2)}
    held = {(one["Service"]["Address"], str(one["Service"]["Port"])) for one in registered(scenario)}
    assert held == {(gateway, port) for port in published} and len(held) == 2


def registered(scenario: Scenario) -> list[dict[str, dict[str, object]]]:
    """Consul's entries of web."""
    entries: list[dict[str, dict[str, object]]] = scenario.consul("GET", "/v1/health/service/web?passing")
    return entries
