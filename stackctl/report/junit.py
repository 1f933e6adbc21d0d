"""A verdict as JUnit XML: a test case a service, so that CI shows which one differs."""

from __future__ import annotations

from pathlib import Path

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from stackctl.domain.verdict import Verdict


def write(path: Path, stack: str, verdict: Verdict) -> None:
    """Write the report; each service is a case, failed with its first divergence, or because the whole did not hold."""
    suite = TestSuite(f"stackctl verify {stack}")
    for service in verdict.judgement.services:
        case = TestCase(f"{service.name} converged", f"stackctl.{stack}", verdict.elapsed)
        if service.divergence:
            text = f"{service.divergence.layer}: {service.divergence.reason}"
            case.result = [Failure(text, verdict.outcome)]
        elif verdict.outcome != "converged":
            case.result = [Failure(verdict.reason or "another service differs", verdict.outcome)]
        suite.add_testcase(case)
    report = JUnitXml()
    report.add_testsuite(suite)
    report.write(str(path))
