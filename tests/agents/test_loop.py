"""What every agent runs on."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import time

import pytest

from stackctl.agents.loop import Backoff, Health, Log, Metrics, serve

AGENT = """
import asyncio, sys, time
from stackctl.agents.loop import Log, run

async def agent():
    log("ready")
    {body}

log = Log("test")
run(agent(), log)
"""


def start(body: str) -> subprocess.Popen[str]:
    """An agent in a process of its own that has said that it is ready."""
    agent = subprocess.Popen([sys.executable, "-c", AGENT.format(body=body)], stdout=subprocess.PIPE, text=True)
    assert agent.stdout and json.loads(agent.stdout.readline())["event"] == "ready"
    return agent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.sleep(60)",
        "await asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)",
        """
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass""",
    ],
    ids=["waits", "hangs in a thread", "will not be cancelled"],
)
def test_ends_at_a_signal(body: str, number: signal.Signals) -> None:
    """An agent ends within a second of its signal, whatever it is doing."""
    agent = start(body)
    began = time.monotonic()
    agent.send_signal(number)
    assert agent.wait(timeout=5) == 0
    assert time.monotonic() - began < 1


def test_failure_is_told() -> None:
    """An agent that fails ends with 1 and a line that says why."""
    agent = start("raise ValueError('no such thing')")
    assert agent.stdout is not None
    line = json.loads(agent.stdout.readline())
    assert (line["event"], line["level"]) == ("failed", "error") and "no such thing" in line["error"]
    assert agent.wait(timeout=5) == 1


def test_log_lines() -> None:
    """A log line is one JSON object with time, level, agent and event."""
    stream = io.StringIO()
    Log("registrator", stream)("registered", id="web\n1")
    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1 and line.pop("ts").endswith("Z")
    assert line == {"level": "info", "agent": "registrator", "event": "registered", "id": "web\n1"}


def test_log_lines_are_whole() -> None:
    """A log line is handed over in one piece, so that nobody who writes to the same stream gets in between."""
    written: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    Log("balancer", Stream())("applied")
    assert [text.endswith("}\n") for text in written] == [True]


async def ask(port: int, request: bytes) -> bytes:
    """What the server answers to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def test_pages() -> None:
    """/healthz says 200 or 503 with reasons, /metrics counts, and odd requests do no harm."""
    metrics = Metrics("stackctl_test", events_total="Events.", registered="Registrations.")
    reasons: list[str] = []

    async def scenario() -> None:
        server = await serve("test", lambda: Health(tuple(reasons), {"known": 2}), metrics, port=0)
        port = server.sockets[0].getsockname()[1]
        assert await ask(port, b"nonsense\r\n\r\n") == b""
        assert (await ask(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")
        head, _, body = (await ask(port, b"GET /healthz HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert json.loads(body) == {"agent": "test", "healthy": True, "reasons": [], "known": 2}
        reasons.append("the registry is lost")
        head, _, body = (await ask(port, b"GET /healthz?a=b HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503") and json.loads(body)["reasons"] == reasons
        metrics.add("events_total", 2)
        metrics.set("registered", 3)
        text = (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).decode()
        assert "# TYPE stackctl_test_events_total counter\nstackctl_test_events_total 2\n" in text
        assert "# TYPE stackctl_test_registered gauge\nstackctl_test_registered 3\n" in text
        server.close()

    asyncio.run(scenario())


def test_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits double up to the last one, and start anew when something worked."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def scenario() -> None:
        backoff = Backoff(first=1, last=4)
        for _ in range(4):
            await backoff.wait()
        backoff.reset()
        await backoff.wait()

    monkeypatch.setattr("stackctl.agents.loop.asyncio.sleep", sleep)
    monkeypatch.setattr("stackctl.agents.loop.random.uniform", lambda least, most: most)
    asyncio.run(scenario())
    assert waits == [1, 2, 4, 4, 1]
