"""The named volumes of a workload: its own, and those that a service's `compose:` keys mount."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackctl.domain.desired import Workload

# As Compose and a Swarm tell a volume's name from a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def named_volumes(workload: Workload) -> Iterator[str]:
    """Each name; Compose knows none that is not told of beside the services too."""
    yield from workload.volumes
    for mounted in workload.extra.get("volumes") or ():
        name = _source(mounted)
        if _NAME.fullmatch(name):
            yield name


def _source(mounted: object) -> str:
    """What is mounted, where that may be a volume, else nothing; a text without a colon is a path in the container."""
    if isinstance(mounted, dict):
        return str(mounted.get("source") or "") if mounted.get("type") == "volume" else ""
    source, colon, _ = str(mounted).partition(":")
    return source if colon else ""
