"""Listings and verdicts as a person reads them at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.domain.instance import short_id
from stackctl.domain.verdict import ServiceVerdict, TrafficVerdict, Verdict

NUMERIC = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Table:
    """Columns with their titles and rows of text."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        widths = [max(len(row[column]) for row in (self.titles, *self.rows)) for column in range(len(self.titles))]
        right = [all(set(row[c]) <= NUMERIC for row in self.rows) and bool(self.rows) for c in range(len(widths))]
        return "\n".join(self._line(row, widths, right) for row in (self.titles, *self.rows))

    @staticmethod
    def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
        cells = (
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        )
        return " " + "   ".join(cells).rstrip()


def headline(stack: str, engine: str, verdict: Verdict) -> str:
    """The answer in one line."""
    revision = verdict.judgement.revision or "none"
    held = f", stable for {verdict.stable_for:.1f} s" if verdict.outcome in ("converged", "diverged") else ""
    took = f", after {verdict.after:.1f} s" if verdict.after is not None else ""
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{stack} · {engine} · revision {revision} · {verdict.outcome}{held}{took}{reason}"


def verdict_table(stack: str, engine: str, verdict: Verdict) -> str:
    """The headline, a line a service with every layer, and what differs first where something does."""
    services = verdict.judgement.services
    configs = sorted({id for service in services for id in service.config})
    ways = list(dict.fromkeys(way for service in services for way in service.traffic))
    titles: tuple[str, ...] = ("service", "desired", "engine", "registry")
    titles += tuple(f"config {short_id(stack, id)}" for id in configs)
    titles += tuple(way if way.startswith("entry ") else f"traffic {short_id(stack, way)}" for way in ways)
    titles += ("dns A, SRV",) if any(service.dns for service in services) else ()
    rows = tuple(_row(service, configs, ways)[: len(titles)] for service in services)
    lines = [headline(stack, engine, verdict), str(Table(titles, rows))]
    for name, divergence in verdict.judgement.divergences:
        parts = [f"missing {', '.join(divergence.missing)}" if divergence.missing else ""]
        parts += [f"extra {', '.join(divergence.extra)}" if divergence.extra else "", divergence.reason]
        lines.append(f" {name} first differs at {divergence.layer}: {'; '.join(filter(None, parts))}")
    return "\n".join(lines)


def _row(service: ServiceVerdict, configs: Sequence[str], ways: Sequence[str]) -> tuple[str, ...]:
    cells = [service.name, str(len(service.desired)), str(len(service.engine)), str(len(service.registry))]
    cells += [str(len(service.config[id])) if id in service.config else "-" for id in configs]
    cells += [_traffic(service.traffic[way], len(service.desired)) if way in service.traffic else "-" for way in ways]
    cells.append(", ".join(str(len(ids)) for ids in service.dns.values()) or "-")
    return tuple(cells)


def _traffic(met: TrafficVerdict, desired: int) -> str:
    trouble = f", {met.errors} errors" if met.errors else ""
    trouble += f", {met.strangers} strangers" if met.strangers else ""
    return f"{len(met.by_instance)} of {desired} ({met.requests} req{trouble})"
