"""What a balancer really runs, seen from inside its container: running revision, the file beside it, connections."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

from stackctl.agents.connections import outgoing
from stackctl.agents.nginx import Nginx
from stackctl.agents.workers import finishing
from stackctl.domain.balancer import Backends
from stackctl.domain.observation import BalancerSeen
from stackctl.rendering.nginx import backends_in, revision_of

AGENT_PORT = 8090
CLOCK_TICK = 0.02  # seconds; the kernel tells when a process started in hundredths
CLAIM = re.compile(r"^# stackctl \S+ revision (\S+)$", re.MULTILINE)


async def inspect(nginx: Nginx) -> BalancerSeen:
    """The balancer that this process sits beside; raises `OSError` or `StackctlError` where nginx can't be asked."""
    running = await nginx.running()
    workers = nginx.workers()
    text = nginx.config.read_text()
    claimed = next(iter(CLAIM.findall(text)), "")
    answer = await _agent_answer()
    edited = not claimed or revision_of(text, claimed=claimed, token=nginx.token()) != claimed
    backends, dropped, tampered, reloaded = running.backends, {}, "", False
    if edited:
        on_disk = _on_disk(text, running.backends)
        dropped = _dropped(running.backends, on_disk)
        reloaded = _loaded_since(nginx)
        backends = on_disk if reloaded else running.backends
        effect = "nginx runs it" if reloaded else "nginx does not run it yet, the next reload would"
        tampered = f"{nginx.config} was edited by hand; {effect}"
    elif claimed != running.revision:
        tampered = f"{nginx.config} holds revision {claimed[:8]}, nginx runs {running.revision[:8]}"
    return BalancerSeen(
        "",
        revision=running.revision,
        backends=backends,
        tampered=tampered,
        dropped=dropped,
        reloaded=reloaded,
        shutting_down=finishing(workers, time.clock_gettime(time.CLOCK_BOOTTIME)),
        connections=outgoing(nginx),
        agent="its agent does not answer" if answer is None else "",
        rejected=str((answer or {}).get("rejected", "")),
    )


def _on_disk(text: str, running: Backends) -> Backends:
    named = backends_in(text)
    return {name: tuple(named.get(name, ())) for name in running}


def _dropped(running: Backends, on_disk: Backends) -> dict[str, tuple[str, ...]]:
    lost = {
        name: tuple(sorted({b.id for b in members} - {b.id for b in on_disk[name]}))
        for name, members in running.items()
    }
    return {name: ids for name, ids in lost.items() if ids}


def _loaded_since(nginx: Nginx) -> bool:
    """Whether the workers that accept connections are younger than the file."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    started = [worker.started for worker in nginx.workers() if not worker.shutting_down]
    return bool(started) and boot + min(started) + CLOCK_TICK >= nginx.config.stat().st_ctime


async def _agent_answer() -> dict[str, Any] | None:
    """What the agent beside it says. The kernel accepts for a frozen one too: only words count."""
    try:
        async with asyncio.timeout(0.5):
            reader, writer = await asyncio.open_connection("127.0.0.1", AGENT_PORT)
            writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
            answer: dict[str, Any] = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
            writer.close()
            return answer
    except (OSError, TimeoutError, ValueError):
        return None
