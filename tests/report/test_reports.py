"""Reports as people and programs read them, compared as texts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from stackctl.domain.catalog import Catalog
from stackctl.domain.observation import Traffic
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.verdict import Expectation, ExpectedService, Outcome, Verdict
from stackctl.report import junit
from stackctl.report.json import document, plan_json, verdict_json
from stackctl.report.table import verdict_table
from stackctl.verifying.judge import judge
from tests.building import entry, observation
from tests.golden import golden

WANTED = Expectation("shop", (ExpectedService("web", "web", 3, True, True),), 1)
WHOLE = observation(1, 2, 3)
GHOST = replace(WHOLE, catalogs={"web": Catalog("web", tuple(map(entry, (1, 2, 9))))})
ERRORS = replace(
    WHOLE,
    entries={"entry 127.0.0.1:8080": {"web": Traffic(12, {"10.0.0.1:80": 8}, {"10.0.0.2:80": 4}, ("status 500",))}},
)


def verdict(outcome: Outcome, seen: object, reason: str = "") -> Verdict:
    return Verdict(outcome, judge(WANTED, seen), 1.04, 1.52, reason)  # type: ignore[arg-type]


def test_converged_table() -> None:
    """A stack at a glance."""
    golden("report/converged.txt", verdict_table("shop", "compose", verdict("converged", WHOLE)) + "\n")


def test_how_long_it_took() -> None:
    """A stack that came to converge says after how long."""
    waited = replace(verdict("converged", WHOLE), after=41.24)
    assert verdict_table("shop", "swarm", waited).splitlines()[0].endswith("converged, stable for 1.0 s, after 41.2 s")
    assert verdict_json("shop", "swarm", waited)["converged_after_s"] == 41.24
    assert verdict_json("shop", "swarm", verdict("converged", WHOLE))["converged_after_s"] is None


def test_diverged_table() -> None:
    """What differs first stands below the table, with the ids and the reason."""
    golden("report/ghost.txt", verdict_table("shop", "compose", verdict("diverged", GHOST)) + "\n")
    golden(
        "report/errors.txt", verdict_table("shop", "compose", verdict("unstable", ERRORS, "it keeps changing")) + "\n"
    )


def test_verdict_json() -> None:
    """The document has the shape that programs rely on."""
    found = json.loads(document("verify", verdict_json("shop", "compose", verdict("diverged", GHOST))))
    assert found["schema"] == "stackctl/verify/v1"
    assert set(found) >= {"stack", "engine", "verdict", "converged", "elapsed_s", "revision", "services"}
    golden("report/ghost.json", json.dumps(found, indent=2) + "\n")


def test_plan_json() -> None:
    """A plan's operations keep their order and their causes."""
    plan = Plan("shop", (Operation("drain", "web", "shop-web-2", "too many"),))
    assert plan_json(plan) == {
        "stack": "shop",
        "changes": True,
        "operations": [{"verb": "drain", "service": "web", "instance": "shop-web-2", "cause": "too many"}],
    }


def test_junit(tmp_path: Path) -> None:
    """A service that differs is a failed case with its layer and reason."""
    junit.write(tmp_path / "report.xml", "shop", verdict("diverged", GHOST))
    text = (tmp_path / "report.xml").read_text()
    assert 'failures="1"' in text
    assert "registry:" in text
    junit.write(tmp_path / "report.xml", "shop", verdict("converged", WHOLE))
    assert 'failures="0"' in (tmp_path / "report.xml").read_text()
