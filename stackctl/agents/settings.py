"""What a balancer's agent and probe are told at the start, read from the container's files."""

from __future__ import annotations

import json
from pathlib import Path

from stackctl.domain.balancer import BalancerSettings, RoutedService
from stackctl.domain.stack import Route

SETTINGS = Path("/etc/stackctl/balancer.json")


def load(path: Path = SETTINGS) -> BalancerSettings:
    """The settings that were rendered for this balancer."""
    data = json.loads(path.read_text())
    services = tuple(
        RoutedService(service["name"], service["catalog_name"], Route(**service["route"]))
        for service in data["services"]
    )
    return BalancerSettings(**{**data, "services": services})


def registry_url(registry: str) -> str:
    """`consul://host:port` as the address of Consul's HTTP API."""
    return registry.replace("consul://", "http://", 1)
