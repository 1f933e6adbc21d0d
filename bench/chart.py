"""`python -m bench.chart`: what was lost while scaling down, from bench/results/losing.json into docs/lost.svg."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WIDTH, LEFT, BAR, GAP = 760, 250, 18, 8
COLOURS = {"keep-alive": "#2b6cb0", "fresh": "#90cdf4"}


def chart(values: dict[str, Any]) -> str:
    """An SVG: for every system and kind of connection, the share of requests that were lost."""
    rows = [
        (name, kind, sum(r["lost"] for r in reports), sum(r["sent"] for r in reports))
        for name, found in values.items()
        if "missing" not in found
        for kind, reports in found.items()
    ]
    most = max(lost / sent for _, _, lost, sent in rows) or 1
    height = 60 + len(rows) * (BAR + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-size="13">',
        "<style>text { font-family: sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="24" font-size="15">Requests lost while scaling from 3 to 1, at 200 a second</text>',
    ]
    for number, (name, kind, lost, sent) in enumerate(rows):
        y = 45 + number * (BAR + GAP)
        length = round((WIDTH - LEFT - 170) * (lost / sent) / most)
        lines += [
            f'<text x="10" y="{y + 14}">{name}, {kind}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{max(length, 1)}" height="{BAR}" fill="{COLOURS[kind]}"/>',
            f'<text x="{LEFT + length + 8}" y="{y + 14}">{lost} of {sent} ({100 * lost / sent:.2g} %)</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    measured = json.loads((ROOT / "bench" / "results" / "losing.json").read_text())["losing"]
    (ROOT / "docs" / "lost.svg").write_text(chart(measured))
