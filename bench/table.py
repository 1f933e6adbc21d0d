"""Numbers as Markdown tables, and the tables between their markers in docs/benchmarks.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

DOCS = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with aligned columns; all but the first column to the right."""
    cells = [list(heads), *[list(row) for row in rows]]
    widths = [max(len(row[n]) for row in cells) for n in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [cells[0], rule, *cells[1:]]
    return "\n".join(
        "| "
        + " | ".join(c.ljust(w) if n == 0 else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)))
        + " |"
        for row in lines
    )


def milliseconds(values: Sequence[float]) -> str:
    """The median of seconds, and the span, in milliseconds."""
    return f"{median(values) * 1000:.0f} ({min(values) * 1000:.0f}–{max(values) * 1000:.0f})"


def seconds(values: Sequence[float]) -> str:
    """The median of seconds, and the span."""
    return f"{median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def write(tables: dict[str, str], docs: Path = DOCS) -> None:
    """Replace what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`; other text stays."""
    text = docs.read_text()
    for name, body in tables.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise LookupError(f"{docs.name} has no markers for {name}")
        whole = f"{begin}\n{body}\n{end}".replace("\\", r"\\")
        text = pattern.sub(whole, text)
    docs.write_text(text)
