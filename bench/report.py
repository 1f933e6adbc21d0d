"""What was measured, as the tables of docs/benchmarks.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.losing import WAYS
from bench.table import milliseconds, seconds, table

NAMES = ("turnover", *WAYS, "memory", "proving", "leader", "up", "starting", "endurance", "entry", "scaling", "size")
# Measured once on such a machine by hand, medians of 10; its registrator can't be had through the Go module proxy.
TRIO = "registrator + consul-template + nginx"
MIB = 2**20


def tables(about: dict[str, Any], measured: dict[str, Any]) -> dict[str, str]:
    """The tables by the names of their markers, for what was measured."""
    found: dict[str, str] = {}
    if values := measured.get("turnover"):
        found["turnover"] = _turnover(values)
        found["steps"] = _steps(values)
    for way in WAYS:
        if values := measured.get(way):
            found[way] = _losing(values)
    if values := measured.get("endurance"):
        found["endurance"] = _endurance(values)
    if values := measured.get("scaling"):
        found["scaling"], found["scaled-memory"] = _scaling(values), _scaled_memory(values)
    if values := measured.get("size"):
        found["size"] = _size(values)
    if values := measured.get("leader"):
        found["leader"] = _leader(values)
    if values := measured.get("entry"):
        found["entry"] = _entry(values)
    if values := measured.get("memory"):
        found["memory"] = _memory(values)
    if values := measured.get("up"):
        found["up"] = _up(values)
    if {"starting", "proving"} & measured.keys():
        found["waiting"] = _waiting(measured)
    # Measured by themselves and seldom: the other tables are of another day.
    found["about-scale" if measured.keys() <= {"scaling", "size"} else "about"] = _about(about, measured)
    return found


def _about(about: dict[str, Any], measured: dict[str, Any]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in about["machine"].items())
    rounds = f"{about['rounds']} rounds"
    if values := measured.get("scaling"):  # has fewer of them
        rounds += f", {max(len(step) for found in values.values() for step in found['steps'].values())} of scaling"
    return f"{about['when']}; {rounds}; {told}; load averages {min(about['loads']):.1f} to {max(about['loads']):.1f}."


def _turnover(values: dict[str, Any]) -> str:
    rows = []
    for name, found in values.items():
        if name in ("steps", "ways"):
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
    for way, times in values.get("ways", {}).items():
        rows.append((f"leaving after `docker {way}`, all of it", milliseconds(times)))
    return table(("step", "ms"), rows)


def _losing(values: dict[str, Any]) -> str:
    rows = []
    for name, found in values.items():
        if "missing" in found:
            rows.append((name, f"left out: {found['missing']}", *[""] * 6))
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
                    f"{max(r['gap'] for r in reports) * 1000:.0f}" if "gap" in reports[0] else "",
                    f"{median(r['seconds'] for r in reports):.1f}" if "seconds" in reports[0] else "",
                    ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3)),
                )
            )
    heads = ("connections", "lost", "median round", "p99, ms", "longest, ms", "gap, ms", "command, s", "of those lost")
    return table(("", *heads), rows)


def _endurance(values: list[dict[str, Any]]) -> str:
    rows, all_of_them = [], {"sent": 0, "lost": 0}
    for name in dict.fromkeys(one["what"] for one in values):
        ones = [one for one in values if one["what"] == name]
        lost = sum(one["lost"] for one in ones)
        for key in all_of_them:
            all_of_them[key] += sum(one[key] for one in ones)
        rows.append(
            (
                name,
                f"{lost} of {sum(one['sent'] for one in ones)}",
                *(_kept([one["streams"][kind] for one in ones]) for kind in ("long", "events", "socket", "tcp")),
                milliseconds([one["p99"] for one in ones]),
                f"{max(one['gap'] for one in ones) * 1000:.0f}",
                seconds([one["seconds"] for one in ones]),
            )
        )
    rows.append(("**in all**", f"**{all_of_them['lost']} of {all_of_them['sent']}**", *[""] * 7))
    heads = ("", "lost", "10 s requests", "event streams", "websockets", "tcp", "p99, ms", "gap, ms", "command, s")
    return table(heads, rows)


def _kept(counts: Sequence[dict[str, int]]) -> str:
    """`cut of begun`."""
    return f"{sum(c['cut'] for c in counts)} of {sum(c['begun'] for c in counts)}"


def _scaling(values: dict[str, Any]) -> str:
    rows = []
    for what in dict.fromkeys(what for found in values.values() for what in found["steps"]):
        cells = []
        for found in values.values():
            ones = found["steps"].get(what, [])
            cells += [
                seconds([one["seconds"] for one in ones]),
                f"{max(one['peak'] for one in ones) / MIB:.0f}",
                f"{median(one['reloads'] for one in ones):g}",
            ]
        rows.append((what, *cells))
    heads = (f"{engine}: {head}" for engine in values for head in ("s", "stackctl's peak, MiB", "reloads"))
    return table(("", *heads), rows)


def _scaled_memory(values: dict[str, Any]) -> str:
    parts = dict.fromkeys(part for found in values.values() for part in found["memory"])
    rows = [(part, *(f"{found['memory'][part] / MIB:.1f}" for found in values.values())) for part in parts]
    return table(("process", *(f"{engine}: VmRSS, MiB" for engine in values)), rows)


def _size(values: dict[str, dict[str, Any]]) -> str:
    rows = []
    for size, found in values.items():
        if "refused" in found:
            rows.append((size, f"nginx refuses it: {found['refused']}", *[""] * 6))
            continue
        rows.append(
            (
                size,
                f"{median(found['answer']) / 1024:.0f}",
                *(milliseconds(found[step]) for step in ("parse", "render")),
                f"{median(found['config']) / 1024:.0f}",
                *(milliseconds(found[step]) for step in ("test", "apply")),
                f"{max(found['nginx']) / MIB:.0f}",
            )
        )
    heads = (
        "Consul's answer, KiB",
        "read, ms",
        "render, ms",
        "config, KiB",
        "`nginx -t`, ms",
        "swap, ms",
        "nginx, MiB",
    )
    return table(("servers", *heads), rows)


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


def _entry(values: dict[str, Any]) -> str:
    rows = []
    for name, found in values.items():
        for what, kind in ((name, "gone"), ("… and is back", "back")):
            ones = [one[kind] for one in found]
            rows.append(
                (
                    what,
                    milliseconds([one["gap"] for one in ones]),
                    f"{sum(one['lost'] for one in ones)} of {sum(one['sent'] for one in ones)}",
                    f"{max(one['several'] for one in ones) * 1000:.0f}",
                )
            )
    return table(("of the machine that has it", "gap, ms", "not answered", "two have it, ms"), rows)


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
