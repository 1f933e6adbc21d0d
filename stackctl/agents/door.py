"""The door: a probe that is asked from another node of a Swarm, where no engine can be told to start one.

    the manager's node                                 any other node
    docker exec … door ADDRESS  ──── the overlay ────> door ──> a probe's input and output

Whoever knocks must know the stack's token: the probe can change registrations. Without a token there is no door.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

TOKEN = Path("/etc/stackctl/token")
PORT = 8091
PROBE = (sys.executable, "-m", "stackctl.agents.probe")
KNOCK = 2.0  # seconds to say the token
AT_ONCE = 16
CHUNK = 2**16
LINE = 2**24  # the longest answer


@asynccontextmanager
async def door(token: Path = TOKEN, *, port: int = PORT) -> AsyncIterator[None]:
    """Open inside; without a token nobody listens."""
    secret, free = _secret(token), asyncio.Semaphore(AT_ONCE)
    if not secret:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):  # whoever comes like this gets no answer
            async with asyncio.timeout(KNOCK):
                said = await reader.readline()
            if hmac.compare_digest(said.strip(), secret):
                async with free:
                    await _probe(reader, writer)
        writer.close()

    async with await asyncio.start_server(answer, "0.0.0.0", port):
        yield


def _secret(token: Path = TOKEN) -> bytes:
    return token.read_bytes().strip() if token.exists() else b""


async def _probe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A probe for as long as both sides are there."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*PROBE, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        await _both(_pour(reader, process.stdin), _pour(process.stdout, writer))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()


async def _both(*ways: Coroutine[Any, Any, None]) -> None:
    """Until one way has come to its end."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def enter(
    address: str, token: Path = TOKEN, *, port: int = PORT
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The input and output of a probe behind a door, in the other order; raises `OSError` or `TimeoutError`."""
    async with asyncio.timeout(KNOCK):
        reader, writer = await asyncio.open_connection(address, port, limit=LINE)
    writer.write(_secret(token) + b"\n")
    return reader, writer


async def knock(address: str) -> None:
    """Stand between this process's input and output and the probe behind a door."""
    reader, writer = await enter(address)
    loop = asyncio.get_running_loop()
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)

    async def answers() -> None:
        while chunk := await reader.read(CHUNK):
            await loop.run_in_executor(None, _say, chunk)

    await _both(_pour(questions, writer), answers())


def _say(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(knock(sys.argv[1]))
    except (OSError, TimeoutError) as error:
        sys.exit(f"no probe answers at {sys.argv[1]}:{PORT}: {error!r}")
    os._exit(0)  # a read of the input that is still under way can't be ended otherwise
