"""The templates that bundled stacks carry write the configs that their authors show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stackctl.domain.balancer import Backend, Target
from stackctl.domain.instance import Endpoint
from stackctl.planning.entry import balancer_settings
from stackctl.rendering.nginx import OWN, render
from stackctl.rendering.templates import environment
from stackctl.spec.load import load
from tests.golden import golden

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("instances", [0, 3])
@pytest.mark.parametrize("name", ["elb", "live-api", "hospital"])
def test_own_template(name: str, instances: int) -> None:
    """Before any instance runs, and with three of each service."""
    told = balancer_settings(load(ROOT / "stacks" / name / "stack.yaml", os.environ).stack)
    members = {
        service.name: tuple(
            Backend(f"{name}-{service.name}-{n}", Endpoint("192.0.2.10", 32767 + n)) for n in range(1, instances + 1)
        )
        for service in told.services
    }
    template = environment(ROOT / "templates" / "nginx", {OWN: told.template}).get_template(OWN)
    config = render(template, told, Target(told.services, members), token="0123456789abcdef", run="/run/stackctl")
    golden(f"nginx/{name}-{instances}.conf", config.text)
