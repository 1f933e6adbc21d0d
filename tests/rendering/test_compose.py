"""The Compose file, compared as the text that is written."""

from __future__ import annotations

from dataclasses import replace

from ruamel.yaml import YAML

from stackctl.domain.stack import Balancer, ConsulRegistry, StaticRegistry
from stackctl.planning.topology import topology
from stackctl.rendering.compose import compose_file
from tests.building import IMAGES, stack
from tests.golden import golden


def test_whole_file() -> None:
    """A stack with three instances, a page for the registry and a folder to build one image from."""
    told = replace(stack(3), registry=ConsulRegistry(servers=1, ui=8500))
    golden("compose/shop.yaml", compose_file(topology(told, IMAGES), {"whoami:1": "./images/whoami"}))


def parsed(text: str) -> dict:
    return YAML(typ="safe").load(text)


def test_passthrough_is_not_interpolated_twice() -> None:
    """Dollars in the spec reach the container as they are; labels in list form keep their place beside ours."""
    extra = {"environment": {"PRICE": "5$"}, "labels": ["a=b$c"]}
    service = parsed(compose_file(topology(stack(compose=extra), IMAGES), {}))["services"]["web"]
    assert service["environment"] == {"PRICE": "5$$"}
    assert service["labels"]["a"] == "b$$c"
    assert service["labels"]["stackctl.service"] == "web"


def test_several_balancers_publish_a_span() -> None:
    """Two balancers on one host have two ports."""
    told = replace(stack(), balancer=Balancer(replicas=2, http=8080))
    balancer = parsed(compose_file(topology(told, IMAGES), {}))["services"]["lb"]
    assert (balancer["ports"], balancer["scale"]) == (["8080-8081:80"], 2)


def test_a_free_port_of_the_host() -> None:
    """A port that the host chooses is named by the container's alone, and stands beside those of the spec."""
    alone = parsed(compose_file(topology(stack(2, address="host"), IMAGES), {}))["services"]["web"]
    assert alone["ports"] == ["80"]
    told = stack(address="host", compose={"ports": ["127.0.0.1:9000:9000"]})
    assert parsed(compose_file(topology(told, IMAGES), {}))["services"]["web"]["ports"] == ["80", "127.0.0.1:9000:9000"]


MOUNTS = ["data:/b", "files:/c:ro", "/etc:/e", "~/x:/x", "/anonymous"]
LONG = [{"type": "volume", "source": "more", "target": "/d"}, {"type": "bind", "source": "/f", "target": "/f"}]


def test_named_volumes_of_a_service_are_the_stacks() -> None:
    """Compose refuses one that stands at a service alone; by the label it is found again, and removed where asked."""
    told = stack(compose={"volumes": [*MOUNTS, *LONG, {"type": "volume", "target": "/g"}]})
    model = parsed(compose_file(topology(replace(told, registry=StaticRegistry()), IMAGES), {}))
    assert model["volumes"] == {name: {"labels": {"stackctl.stack": "shop"}} for name in ("data", "files", "more")}


def test_digest_knows_what_matters() -> None:
    """More instances are the same definition; another image, or another value passed through, is not."""
    web = [
        topology(told, images).workload("web")
        for told, images in (
            (stack(1), IMAGES),
            (stack(3), IMAGES),
            (stack(1), {**IMAGES, "whoami": "whoami:2"}),
            (stack(1, compose={"tty": True}), IMAGES),
        )
    ]
    digests = [workload.digest for workload in web if workload]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
