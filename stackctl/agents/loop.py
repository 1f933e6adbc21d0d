"""What every agent runs on: JSON log lines, /healthz and /metrics, a backoff, and an end right after SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

STATUS_PORT = 8090
# What is still going on this long after a signal is cut off: an agent is crash-only, its state is made anew.
GRACE = 0.5
REQUEST_LIMIT = 8192
REQUEST_TIMEOUT = 2.0


class Log:
    """One JSON object a line: `log("registered", id="web-1")`."""

    def __init__(self, agent: str, stream: TextIO = sys.stdout) -> None:
        self.agent = agent
        self._stream = stream

    def __call__(self, event: str, *, level: str = "info", **fields: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        line = {"ts": now, "level": level, "agent": self.agent, "event": event, **fields}
        # In one piece: nginx and others write to the same stream, and Python's unbuffered one ends lines separately.
        self._stream.write(json.dumps(line, default=str) + "\n")
        self._stream.flush()


class Metrics:
    """Numbers in Prometheus' text format, each with its meaning: `Metrics("stackctl_balancer", reloads_total="…")`.

    What ends in `_total` is a counter, the rest are gauges; all start at 0.
    """

    def __init__(self, prefix: str, **meanings: str) -> None:
        self._prefix = prefix
        self._meanings = meanings
        self._values = dict.fromkeys(meanings, 0.0)

    def add(self, name: str, amount: float = 1.0) -> None:
        """Count."""
        self._values[name] += amount

    def set(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._values[name] = value

    def text(self) -> str:
        """All of them, as /metrics answers."""
        lines = []
        for name, value in self._values.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            full = f"{self._prefix}_{name}"
            lines += [f"# HELP {full} {self._meanings[name]}", f"# TYPE {full} {kind}", f"{full} {value:.12g}"]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Health:
    """Why an agent is not well, in words; healthy without reasons. `details` are told as well."""

    reasons: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)


class Backoff:
    """Waits that grow from `first` to `last` seconds, each cut by up to a half so that agents do not act in step."""

    def __init__(self, first: float = 0.05, last: float = 1.0, factor: float = 2.0) -> None:
        self._first, self._last, self._factor = first, last, factor
        self._next = first

    def reset(self) -> None:
        """It worked: start from the first wait again."""
        self._next = self._first

    async def wait(self) -> None:
        """Wait, and longer the next time."""
        now, self._next = self._next, min(self._next * self._factor, self._last)
        await asyncio.sleep(now * random.uniform(0.5, 1.0))


async def serve(
    agent: str, health: Callable[[], Health], metrics: Metrics, *, port: int = STATUS_PORT
) -> asyncio.Server:
    """Answer /healthz (200, or 503 with the reasons) and /metrics. Bare streams: a web framework is too large here."""

    def page(path: str) -> tuple[str, str, str]:
        if path == "/metrics":
            return "200 OK", "text/plain; version=0.0.4", metrics.text()
        if path != "/healthz":
            return "404 Not Found", "text/plain", "there are /healthz and /metrics\n"
        now = health()
        body = {"agent": agent, "healthy": not now.reasons, "reasons": now.reasons, **now.details}
        status = "503 Service Unavailable" if now.reasons else "200 OK"
        return status, "application/json", json.dumps(body, default=str) + "\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                request = await reader.readuntil(b"\r\n\r\n")
                path = request.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")
                status, kind, body = page(path)
                head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
                await writer.drain()
        except (OSError, EOFError, IndexError, TimeoutError, asyncio.LimitOverrunError):
            pass  # whoever asks like this wants no answer
        finally:
            writer.close()

    return await asyncio.start_server(answer, "0.0.0.0", port, limit=REQUEST_LIMIT)


def run(agent: Coroutine[Any, Any, None], log: Log) -> None:
    """Run an agent until it ends, or SIGTERM or SIGINT ends it; then end the process, with 1 after a failure."""
    asyncio.run(_run(agent, log))


async def _run(agent: Coroutine[Any, Any, None], log: Log) -> None:
    loop, began = asyncio.get_running_loop(), time.monotonic()
    task = asyncio.ensure_future(agent)

    def stop() -> None:
        task.cancel()
        loop.call_later(GRACE, os._exit, 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await asyncio.wait({task})
    failure = None if task.cancelled() else task.exception()
    if failure:
        log("failed", level="error", error=repr(failure), traceback="".join(traceback.format_exception(failure)))
    log("stopped", after=round(time.monotonic() - began, 3))
    # Not an ordinary exit: that would wait for a name lookup that hangs in a thread.
    os._exit(1 if failure else 0)
