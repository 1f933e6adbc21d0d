"""What was measured, as the tables of docs/benchmarks.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.table import milliseconds, seconds, table

NAMES = ("turnover", "losing", "memory", "proving", "leader", "up", "starting")
# Measured once on such a machine by hand, medians of 10; its registrator can't be had through the Go module proxy.
TRIO = "registrator + consul-template + nginx"
MIB = 2**20


def tables(about: dict[str, Any], measured: dict[str, Any]) -> dict[str, str]:
    """The tables by the names of their markers, for what was measured."""
    found: dict[str, str] = {}
    if values := measured.get("turnover"):
        found["turnover"] = _turnover(values)
        found["steps"] = _steps(values)
    if values := measured.get("losing"):
        found["losing"] = _losing(values)
    if values := measured.get("leader"):
        found["leader"] = _leader(values)
    if values := measured.get("memory"):
        found["memory"] = _memory(values)
    if values := measured.get("up"):
        found["up"] = _up(values)
    if {"starting", "proving"} & measured.keys():
        found["waiting"] = _waiting(measured)
    told = ", ".join(f"{name} {value}" for name, value in about["machine"].items())
    busy = f"load averages {min(about['loads']):.1f} to {max(about['loads']):.1f}"
    found["about"] = f"{about['when']}; {about['rounds']} rounds; {told}; {busy}."
    return found


def _turnover(values: dict[str, Any]) -> str:
    rows = []
    for name, found in values.items():
        if name == "steps":
            continue
        if "missing" in found:
            rows.append((name, f"left out: {found['missing']}", "", ""))
        else:
            rows.append((name, milliseconds(found["joining"]), milliseconds(found["leaving"]), found["config"]))
    rows.append(
        (TRIO, "210, measured earlier", "230, measured earlier", "its registrator can't be had any more (below)")
    )
    return table(("", "joining, ms", "leaving, ms", "running config means"), rows)


def _steps(values: dict[str, Any]) -> str:
    found = values["steps"]
    rows = []
    for kind in ("joining", "leaving"):
        rows += [(f"{kind}: {step}", milliseconds(taken)) for step, taken in found[kind].items()]
        rows.append((f"**{kind}, all of it**", milliseconds(values["stackctl"][kind])))
    for name, step in {"app": "the sample app alone: start until it answers", "nginx -t": "`nginx -t` alone"}.items():
        if name in found:
            rows.append((step, milliseconds(found[name])))
    return table(("step", "ms"), rows)


def _losing(values: dict[str, Any]) -> str:
    rows = []
    for name, found in values.items():
        if "missing" in found:
            rows.append((name, f"left out: {found['missing']}", "", "", "", "", ""))
            continue
        for kind, reports in found.items():
            reasons: Counter[str] = Counter()
            for report in reports:
                reasons.update(report["reasons"])
            rows.append(
                (
                    name,
                    kind,
                    f"{sum(r['lost'] for r in reports)} of {sum(r['sent'] for r in reports)}",
                    f"{median(r['lost'] for r in reports):g} of {median(r['sent'] for r in reports):g}",
                    milliseconds([r["p99"] for r in reports]),
                    f"{max(r['longest'] for r in reports) * 1000:.0f}",
                    ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3)),
                )
            )
    return table(("", "connections", "lost", "median round", "p99, ms", "longest, ms", "of those lost"), rows)


def _leader(values: dict[str, Any]) -> str:
    rows = []
    for name, found in values.items():
        loads = [one["load"] for one in found]
        rows.append(
            (
                name,
                seconds([one["elected"] for one in found]),
                seconds([one["served"] for one in found]),
                f"{sum(r['lost'] for r in loads)} of {sum(r['sent'] for r in loads)}",
            )
        )
    return table(("", "new leader, s", "new instance served, s", "requests lost"), rows)


def _memory(values: dict[str, Any]) -> str:
    rows = []
    for name, found in values.items():
        if "missing" in found:
            rows.append((name, f"left out: {found['missing']}", ""))
        else:
            rows += [(name, part, f"{size / MIB:.1f}") for part, size in found.items() if part != "missing"]
    return table(("", "process", "VmRSS, MiB"), rows)


def _up(values: dict[str, Sequence[float]]) -> str:
    rows = []
    for name, ours, theirs in (
        ("from nothing", "stackctl", "compose"),
        ("the same, Compose until the page is served", "stackctl", "compose, until the page is served"),
        ("nothing to do", "stackctl, nothing to do", "compose, nothing to do"),
    ):
        ratio = median(a / b for a, b in zip(values[ours], values[theirs], strict=True))
        rows.append((name, seconds(values[ours]), seconds(values[theirs]), f"{ratio:.2f}"))
    return table(("", "`stackctl up`, s", "`docker compose up -d --wait`, s", "median ratio"), rows)


def _waiting(measured: dict[str, Any]) -> str:
    rows = [(name, seconds(taken)) for name, taken in measured.get("starting", {}).items()]
    if "proving" in measured:
        rows.append(("`stackctl verify`, 3 instances", seconds(measured["proving"])))
    return table(("", "s"), rows)
