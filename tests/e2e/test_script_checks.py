"""SERVICE_CHECK_SCRIPT from the spec to Consul: run where the spec allows scripts, told where it does not."""

from __future__ import annotations

import json

import pytest

from tests.e2e.scenario import Scenario, eventually

pytestmark = pytest.mark.engine

# Any service: without a check in the spec, the settings of registrator have their say.
SCRIPTED = """\
  job:
    image: whoami
    port: 80
    compose: {environment: {SERVICE_CHECK_SCRIPT: "test $$SERVICE_PORT = 80 && echo at $$SERVICE_IP"}}
"""


def test_allowed_and_not(scenario: Scenario) -> None:
    """Refused, the proof does not hold and the registrator names the key; allowed, Consul runs the script."""
    refused = scenario.spec.read_text() + SCRIPTED
    scenario.spec.write_text(refused)
    scenario.stackctl("up", "--no-wait", timeout=600)
    reason = eventually(lambda: set_aside(scenario).get(scenario.id("job")), "job is set aside")
    assert "registry.consul.script_checks" in reason
    assert "job" in [service["name"] for service in scenario.verify(code=3)["services"] if service["first_divergence"]]
    scenario.spec.write_text(refused.replace("servers: 3,", "servers: 3, script_checks: true,"))
    scenario.stackctl("up", timeout=600)
    (check,) = scenario.consul("GET", "/v1/health/checks/job")
    assert (check["Type"], check["Status"]) == ("script", "passing")
    assert scenario.verify()["converged"] is True


# The answer is worth reading also while the registrator is not well yet.
ASK = "exec 3<>/dev/tcp/127.0.0.1/8090; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"


def set_aside(scenario: Scenario) -> dict[str, str]:
    """Whom the registrator has set aside, and why."""
    code, output = scenario.container("registrator").exec_run(["bash", "-c", ASK])
    if code:
        return {}  # it does not listen yet
    found: dict[str, str] = json.loads(output)["set_aside"]
    return found
