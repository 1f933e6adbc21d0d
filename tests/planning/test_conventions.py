"""What registrator's conventions ask of the plan: ports of the host, and scripts that Consul may run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stackctl.domain.desired import Published, Workload
from stackctl.domain.stack import ConsulRegistry, Stack
from stackctl.planning.topology import topology
from stackctl.spec.passthrough import HEARTBEAT
from tests.building import IMAGES, stack


def workload(told: Stack, name: str) -> Workload:
    """A workload of a stack's plan."""
    found = topology(told, IMAGES).workload(name)
    assert found
    return found


def test_container_address_publishes_nothing() -> None:
    """An instance that is registered by its own address needs no port of the host."""
    assert workload(stack(), "web").published == ()


@pytest.mark.parametrize(
    ("ports", "published"),
    [
        (None, (Published(0, 80),)),
        (["8443:443", "8080:80/udp"], (Published(0, 80),)),
        (["127.0.0.1:8080:80", "[::1]:8080:80"], (Published(0, 80),)),
        ([{"target": 80, "host_ip": "127.0.0.1"}], (Published(0, 80),)),
        (["80"], ()),
        ([80], ()),
        (["8080:80"], ()),
        (["192.0.2.1:8080:80/tcp"], ()),
        ([{"target": 80, "published": "8080"}], ()),
    ],
)
def test_host_address_publishes_a_free_port(ports: Any, published: tuple[Published, ...]) -> None:
    """By the host's address: a free port for each instance, unless the spec itself publishes the service's port."""
    web = workload(stack(2, address="host", compose={"ports": ports} if ports else {}), "web")
    assert web.published == published
    assert web.labels["stackctl.address"] == "host"


def test_scripts() -> None:
    """Scripts are off; where the spec allows them every Consul node may run them, and the registrator knows."""

    def seen(registry: ConsulRegistry) -> tuple[list[bool], str | None]:
        told = topology(replace(stack(), registry=registry), IMAGES)
        configs = [config for w in told.workloads if w.role == "consul" for config in w.configs.values()]
        registrator = told.workload("registrator")
        assert registrator
        return [c.get("enable_script_checks", False) for c in configs], registrator.environment.get(
            "STACKCTL_SCRIPT_CHECKS"
        )

    assert seen(ConsulRegistry(servers=3)) == ([False] * 4, None)
    assert seen(ConsulRegistry(servers=3, script_checks=True)) == ([True] * 4, "true")


def test_whatever_a_heartbeat_is_told_is_refused_elsewhere() -> None:
    """Each variable that the plan gives to who registers himself is one that `compose:` can't say."""
    told = workload(stack(register="self"), "web")
    assert {("environment", name) for name in told.environment} == set(HEARTBEAT)
