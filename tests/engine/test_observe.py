"""The engine's listing becomes instances."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stackctl.domain.instance import Endpoint
from stackctl.engine.observe import observe, strangers

BOUND = {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 32768, "Type": "tcp"}


def endpoint(ports: list[dict[str, Any]], **labels: str) -> Endpoint | None:
    """Where the only container of a listing answers."""
    raw = {
        "Names": ["/shop-web-1"],
        "Id": "c1",
        "State": "running",
        "Status": "Up 3 seconds",
        "Created": 1,
        "Image": "web",
        "Labels": {"stackctl.port": "80", **{f"stackctl.{key}": value for key, value in labels.items()}},
        "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": "10.0.0.2", "Gateway": "10.0.0.1"}}},
        "Ports": ports,
    }
    api = SimpleNamespace(containers=lambda **_: [raw], networks=lambda **_: [], volumes=lambda **_: {"Volumes": None})
    (instance,) = observe(SimpleNamespace(api=api), "shop", "shop_default").instances  # type: ignore[arg-type]
    return instance.endpoint


@pytest.mark.parametrize(
    ("ports", "labels", "expected"),
    [
        ([BOUND], {}, Endpoint("10.0.0.2", 80)),
        ([BOUND], {"address": "container"}, Endpoint("10.0.0.2", 80)),
        ([BOUND], {"address": "host"}, Endpoint("10.0.0.1", 32768)),
        ([BOUND | {"IP": "::", "PublicPort": 32000}, BOUND], {"address": "host"}, Endpoint("10.0.0.1", 32768)),
        ([BOUND | {"Type": "udp", "PublicPort": 9}, BOUND], {"address": "host"}, Endpoint("10.0.0.1", 32768)),
        ([BOUND | {"IP": "127.0.0.1"}], {"address": "host"}, None),
        ([{"PrivatePort": 80, "Type": "tcp"}], {"address": "host"}, None),
        ([], {"address": "host"}, None),
    ],
)
def test_endpoints(ports: list[dict[str, Any]], labels: dict[str, str], expected: Endpoint | None) -> None:
    """An instance answers at its own address, or by label at the host's with its published port, as registered."""
    assert endpoint(ports, **labels) == expected


def test_strangers() -> None:
    """What another Compose project of the same name has is told apart by the stack's label."""
    own, other = {"Labels": {"stackctl.stack": "shop"}}, {"Labels": None}
    api = SimpleNamespace(
        containers=lambda **_: [{"Names": ["/shop-db-1"], "Labels": {}}, {"Names": ["/shop-web-1"], **own}],
        networks=lambda **_: [{"Name": "shop_default", **own}],
        volumes=lambda **_: {"Volumes": [{"Name": "shop_data", **other}]},
    )
    assert strangers(SimpleNamespace(api=api), "shop", "shop") == ("shop-db-1", "shop_data")  # type: ignore[arg-type]
