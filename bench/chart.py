"""`python -m bench.chart`: what was lost at each change, from bench/results into docs/lost.svg."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
CHANGES = {
    "losing": "Requests lost while scaling from 3 to 1",
    "replacing": "while all three instances are replaced",
    "killing": "while one of three dies (docker kill)",
}
WIDTH, LEFT, BAR, GAP, HEAD = 780, 290, 16, 6, 34
COLOURS = {"keep-alive": "#2b6cb0", "fresh": "#90cdf4"}


@dataclass(frozen=True, slots=True)
class Row:
    """One bar: how many of a system's requests were lost, on one kind of connection."""

    system: str
    kind: str
    lost: int
    sent: int

    @property
    def share(self) -> float:
        """The part of the requests that was lost, from 0 to 1."""
        return self.lost / self.sent


def rows(values: dict[str, Any]) -> list[Row]:
    """A bar for every system and kind of connection, over all rounds."""
    return [
        Row(system, kind, sum(r["lost"] for r in reports), sum(r["sent"] for r in reports))
        for system, found in values.items()
        if "missing" not in found
        for kind, reports in found.items()
    ]


def chart(panels: dict[str, list[Row]]) -> str:
    """An SVG with a panel for every change; all bars have one scale."""
    most = max(row.share for panel in panels.values() for row in panel) or 1
    lines, y = [], 10
    for title, panel in panels.items():
        lines.append(f'<text x="10" y="{y + 16}" font-size="15">{escape(title)}</text>')
        y += HEAD - GAP
        for row in panel:
            length = max(round((WIDTH - LEFT - 170) * row.share / most), 1)
            told = f"{row.lost} of {row.sent} ({100 * row.share:.2g} %)"
            lines += [
                f'<text x="10" y="{y + 13}">{escape(row.system)}, {row.kind}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{length}" height="{BAR}" fill="{COLOURS[row.kind]}"/>',
                f'<text x="{LEFT + length + 8}" y="{y + 13}">{told}</text>',
            ]
            y += BAR + GAP
        y += GAP
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-size="13">',
        "<style>text { font-family: sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    return "\n".join([*head, *lines, "</svg>", ""])


if __name__ == "__main__":
    measured = {title: json.loads((RESULTS / f"{name}.json").read_text())[name] for name, title in CHANGES.items()}
    (ROOT / "docs" / "lost.svg").write_text(chart({title: rows(values) for title, values in measured.items()}))
