"""Verdicts and plans as JSON; the schema's version is in every document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stackctl.domain.plan import Plan
from stackctl.domain.verdict import ServiceVerdict, Verdict
from stackctl.errors import SpecError, StackctlError


def document(command: str, content: Mapping[str, Any]) -> str:
    """One JSON document of a command."""
    return json.dumps({"schema": f"stackctl/{command}/v1", **content}, indent=2)


def error_json(error: StackctlError) -> dict[str, Any]:
    """An error with the exit code that it leads to; of a spec with every problem found in it."""
    content = {
        "id": error.id,
        "where": error.where,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    return content | ({"problems": problems_json(error)} if isinstance(error, SpecError) else {})


def problems_json(error: SpecError) -> list[dict[str, str]]:
    """What is wrong in a spec, one by one."""
    return [{"where": p.where, "path": p.path, "message": p.message, "hint": p.hint} for p in error.problems]


def verdict_json(stack: str, engine: str, verdict: Verdict) -> dict[str, Any]:
    """A verdict with every layer's instance ids."""
    return {
        "stack": stack,
        "engine": engine,
        "verdict": verdict.outcome,
        "converged": verdict.outcome == "converged",
        "elapsed_s": round(verdict.elapsed, 3),
        "stable_s": round(verdict.stable_for, 3),
        "converged_after_s": None if verdict.after is None else round(verdict.after, 3),
        "revision": verdict.judgement.revision,
        "reason": verdict.reason or None,
        "services": [_service(service) for service in verdict.judgement.services],
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan's operations in order."""
    return {
        "stack": plan.stack,
        "changes": bool(plan),
        "operations": [
            {"verb": o.verb, "service": o.service, "instance": o.instance, "cause": o.cause}
            | ({"node": o.node} if o.node else {})
            for o in plan.operations
        ],
    }


def _service(service: ServiceVerdict) -> dict[str, Any]:
    divergence = service.divergence
    return {
        "name": service.name,
        "desired": list(service.desired),
        "layers": {
            "engine": list(service.engine),
            "registry": list(service.registry),
            "config": {balancer: list(ids) for balancer, ids in service.config.items()},
            "traffic": {
                way: {
                    "requests": met.requests,
                    "errors": met.errors,
                    "by_instance": dict(met.by_instance),
                    "strangers": met.strangers,
                }
                for way, met in service.traffic.items()
            },
            **({"dns": {kind: list(ids) for kind, ids in service.dns.items()}} if service.dns else {}),
        },
        "first_divergence": divergence
        and {
            "layer": divergence.layer,
            "missing": list(divergence.missing),
            "extra": list(divergence.extra),
            "reason": divergence.reason,
        },
    }
