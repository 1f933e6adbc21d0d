"""The files of `docker stack deploy`, compared as the text that is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ruamel.yaml import YAML

from stackctl.domain.stack import Balancer, Certificate, ConsulRegistry, Stack
from stackctl.planning.swarm import as_services
from stackctl.planning.topology import topology
from stackctl.rendering.swarm import STACK_FILE, UPDATE_FILE, swarm_files
from tests.building import IMAGES, stack
from tests.golden import golden


def files(told: Stack, **words: Any) -> dict[str, str]:
    """The files of a stack in a Swarm."""
    return swarm_files(as_services(topology(told, IMAGES)), **words)


def services(told: Stack) -> dict[str, Any]:
    """The services in its stack file."""
    found: dict[str, Any] = YAML(typ="safe").load(files(told)[STACK_FILE])["services"]
    return found


def test_whole_file() -> None:
    """A server, an agent and a registrator on every node, two balancers on nodes of their own, three instances."""
    told = replace(stack(3), registry=ConsulRegistry(servers=1), balancer=Balancer(replicas=2, http=8080))
    golden("swarm/shop.yaml", files(told)[STACK_FILE])


def test_configs_lie_beside_it_and_are_named_by_their_content() -> None:
    """Another content is another config, because a Swarm's never changes; a key is a secret."""
    plain = replace(stack(), balancer=Balancer(certificate=Certificate("chain", "key")))
    other = replace(plain, balancer=Balancer(certificate=Certificate("chain", "another key")))
    assert files(plain)["secrets/lb-key.pem"] == "key"
    names = [
        YAML(typ="safe").load(files(told)[STACK_FILE])["secrets"]["lb-key"]["name"] for told in (plain, other, plain)
    ]
    assert names[0] == names[2] != names[1]


def test_names_of_configs_fit_whatever_the_stack_is_called() -> None:
    """A Swarm takes 64 characters; each content has a name of its own still."""
    told = replace(stack(), name="s" * 40, balancer=Balancer(certificate=Certificate("chain", "key")))
    model = YAML(typ="safe").load(files(told)[STACK_FILE])
    names = [file["name"] for kind in ("configs", "secrets") for file in model[kind].values()]
    assert max(map(len, names)) == 64 and len(set(names)) == len(names)
    assert all(name.startswith(f"{'s' * 40}_") for name in names)


def test_consul_keeps_no_address() -> None:
    """Nodes advertise what they get, the agents' names are their hosts', and no address is asked for."""
    config = files(stack())["configs/consul-1-agent.json"]
    assert "GetInterfaceIP" in config and "169.254" not in files(stack())[STACK_FILE] + config
    agent = files(stack())["configs/consul-agent-agent.json"]
    assert "node_id" not in agent and "node_name" not in agent


def test_ports_are_the_nodes_own() -> None:
    """Whatever form they have, ports are published at the node itself; one that is fixed can't be had twice there."""
    told = stack(2, compose={"ports": ["9000:90", {"target": 91, "published": "9001", "protocol": "udp"}]})
    web = services(told)["web"]
    assert web["ports"] == [
        {"target": 90, "published": 9000, "protocol": "tcp", "mode": "host"},
        {"target": 91, "published": 9001, "protocol": "udp", "mode": "host"},
    ]
    assert web["deploy"]["update_config"]["order"] == "stop-first"
    free = services(stack(2, address="host"))["web"]
    assert free["ports"] == [{"target": 80, "protocol": "tcp", "mode": "host"}]
    assert free["deploy"]["update_config"]["order"] == "start-first"


def test_named_volumes_of_a_service_are_the_stacks() -> None:
    """They stand beside its own, with its label."""
    mounts = ["data:/b", {"type": "volume", "source": "more", "target": "/d"}, "/e:/e"]
    found = YAML(typ="safe").load(files(stack(compose={"volumes": mounts}))[STACK_FILE])
    assert {name: found["volumes"][name] for name in ("data", "more")} == {
        name: {"labels": {"stackctl.stack": "shop"}} for name in ("data", "more")
    }
    assert "/e" not in found["volumes"] and found["services"]["web"]["volumes"] == mounts


def test_the_users_braces_are_his() -> None:
    """A Swarm puts values in the place of {{…}} and of $…: not in those of the spec."""
    web = services(stack(compose={"environment": {"GREETING": "{{.Name}} $5"}}))["web"]
    assert web["environment"]["GREETING"] == '{{"{{"}}.Name}} $$5'


def test_the_specs_own_words_about_updates_hold() -> None:
    """`deploy` of the spec is laid over stackctl's."""
    deploy = {"update_config": {"delay": "3s"}, "resources": {"limits": {"memory": "64M"}}, "placement": {"x": 1}}
    found = services(stack(compose={"deploy": deploy}))["web"]["deploy"]
    assert found["update_config"] == {
        "parallelism": 1,
        "order": "start-first",
        "monitor": "5s",
        "failure_action": "rollback",
        "delay": "3s",
    }
    assert (found["resources"], found["placement"]) == ({"limits": {"memory": "64M"}}, {"x": 1})


def test_a_part_of_it() -> None:
    """The file of one service names nothing else, so that nothing else is touched."""
    part = files(stack(2), only="web", parallel=2)
    assert list(part) == [UPDATE_FILE]
    found = YAML(typ="safe").load(part[UPDATE_FILE])
    assert (list(found["services"]), "configs" in found, "volumes" in found) == (["web"], False, False)
    assert found["services"]["web"]["deploy"]["update_config"]["parallelism"] == 2
