"""Resident memory of a system's own processes, after the traffic and the reloads of the measurements before."""

from __future__ import annotations

from bench.running import Failed
from bench.system import System


def memory(system: System) -> dict[str, int]:
    """VmRSS in bytes by part; several processes of one part are added up."""
    found = {}
    for part in system.parts:
        resident = system.engine.resident(system.engine.of_service(system.project, part.service))
        sizes = [size for command, size in resident.items() if part.words in command]
        if not sizes:
            raise Failed(f"no process of {system.project}'s {part.service} is called {part.words}: {list(resident)}")
        found[part.name] = sum(sizes)
    return found
