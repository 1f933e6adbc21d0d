"""A manager's JSON becomes nodes, services and instances."""

from __future__ import annotations

from typing import Any

import pytest

from stackctl.domain.instance import Endpoint, Instance
from stackctl.domain.swarm import SwarmNode, SwarmService
from stackctl.engine import swarm_json

NODES = (
    SwarmNode("n1", "sw-1", "192.0.2.1"),
    SwarmNode("n2", "sw-2", "192.0.2.2", state="down"),
)
WEB = SwarmService("s1", "shop_web", "web", "d", 2, "whoami:1")


def task(state: str = "running", desired: str = "running", **facts: Any) -> dict[str, Any]:
    """What a manager says of a task, cut down to what is read."""
    labels = {"stackctl.service": "web", "stackctl.role": "service", "stackctl.digest": "d", "stackctl.port": "80"}
    return {
        "ID": "t1",
        "CreatedAt": "2024-01-31T12:00:00.5Z",
        "ServiceID": "s1",
        "Slot": 3,
        "NodeID": "n1",
        "DesiredState": desired,
        "Status": {"State": state, "ContainerStatus": {"ContainerID": "c1"}, **facts.pop("status", {})},
        "Spec": {"ContainerSpec": {"Image": "whoami:1", "Labels": labels | facts.pop("labels", {})}},
        "NetworksAttachments": [
            {"Network": {"Spec": {"Name": "other"}}, "Addresses": ["10.0.9.9/24"]},
            {"Network": {"Spec": {"Name": "shop_default"}}, "Addresses": ["10.0.0.7/24"]},
        ],
        **facts,
    }


def found(*tasks: dict[str, Any]) -> list[Instance]:
    """The instances among these tasks."""
    return list(swarm_json.instances(tasks, [WEB], NODES, "shop_default"))


def test_an_instance() -> None:
    """Its id is its container's name, its endpoint its own address on the stack's network."""
    (instance,) = found(task())
    assert (instance.id, instance.container, instance.node) == ("shop_web.3.t1", "c1", "sw-1")
    assert (instance.endpoint, instance.serving) == (Endpoint("10.0.0.7", 80), True)
    (everywhere,) = found(task(Slot=0))
    assert everywhere.id == "shop_web.n1.t1"


def test_registered_by_its_node() -> None:
    """With `address: host` it answers at its node's address, on the port that the engine chose."""
    ports = {"PortStatus": {"Ports": [{"TargetPort": 80, "PublishedPort": 32768, "PublishMode": "host"}]}}
    (instance,) = found(task(labels={"stackctl.address": "host"}, status=ports))
    assert (instance.endpoint, instance.published) == (Endpoint("192.0.2.1", 32768), (32768,))


def test_ports_that_the_managers_forgot() -> None:
    """What the service itself names is known without the task's word; what an engine chose is not."""
    ports = [
        {"TargetPort": 80, "PublishedPort": 8060, "PublishMode": "host"},
        {"TargetPort": 81, "PublishMode": "host"},
        {"TargetPort": 82, "PublishedPort": 8082, "PublishMode": "ingress"},
    ]
    template = {"ContainerSpec": {"Image": "whoami:1"}}
    spec = {"Name": "shop_web", "Labels": {}, "Mode": {"Replicated": {"Replicas": 2}}, "TaskTemplate": template}
    service = swarm_json.service({"ID": "s1", "Spec": {**spec, "EndpointSpec": {"Ports": ports}}})
    assert service.ports == {80: 8060}
    by_node = task(labels={"stackctl.address": "host"}, status={"PortStatus": {}})
    (instance,) = swarm_json.instances([by_node], [service], NODES, "shop_default")
    assert instance.endpoint == Endpoint("192.0.2.1", 8060)
    assert found(by_node)[0].endpoint is None


@pytest.mark.parametrize(
    ("state", "desired", "condition"),
    [
        ("pending", "running", "created"),
        ("preparing", "running", "created"),
        ("starting", "running", "starting"),
        ("running", "running", "running"),
        ("running", "shutdown", "removing"),
        ("ready", "ready", "created"),
        ("failed", "running", "exited"),
    ],
)
def test_states(state: str, desired: str, condition: str) -> None:
    """A task is on its way, there, or on its way out, and never serves unless it is there."""
    (instance,) = found(task(state, desired))
    assert (instance.condition, instance.serving) == (condition, condition == "running")


def test_what_is_no_instance() -> None:
    """Tasks that are history, of another stack, or on a node that nobody hears of."""
    assert (
        found(task("shutdown", "shutdown"), task("failed", "shutdown"), task(ServiceID="s2"), task(NodeID="n2")) == []
    )


def test_a_node_says_where_it_is() -> None:
    """A manager that calls itself 0.0.0.0 is where the others reach it."""
    raw = {
        "ID": "n1",
        "Description": {"Hostname": "sw-1"},
        "Spec": {"Availability": "active"},
        "Status": {"State": "ready", "Addr": "0.0.0.0"},
        "ManagerStatus": {"Addr": "192.0.2.1:2377"},
    }
    assert swarm_json.node(raw) == SwarmNode("n1", "sw-1", "192.0.2.1", manager=True)
