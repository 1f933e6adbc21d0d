"""How the nodes of a Consul cluster find each other."""

from __future__ import annotations

import pytest

from stackctl.domain.stack import ConsulRegistry, Stack
from stackctl.planning.consul import AGENT, CONFIG, workloads


@pytest.mark.parametrize("servers", [1, 3, 5])
def test_nobody_looks_for_itself(servers: int) -> None:
    """A server looks for every other one until it has found one, and the client agent for all of them."""
    nodes = workloads(Stack("shop", ()), ConsulRegistry(servers=servers), "consul:test")
    names = [f"consul-{number}" for number in range(1, servers + 1)]
    assert {node.name: node.configs[CONFIG]["retry_join"] for node in nodes} == {
        **{name: [other for other in names if other != name] for name in names},
        AGENT: names,
    }
