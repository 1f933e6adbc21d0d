"""Long work through a balancer: requests of ten seconds, event streams, websockets and tcp connections.

Each goes on until the test is over or its instance ends it. One that is told to end (the last event, code 1001, the end
of a tcp stream in good order) begins again elsewhere, as its users would; one that breaks off otherwise was cut.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp

from bench.load import Client

T = TypeVar("T")

PAUSE = 0.5  # seconds between two messages
PATIENCE = 10.0  # seconds for each answer, besides its own length
LONG = 10


@dataclass
class Kept:
    """How many of one kind began, were answered or told to end, and were cut."""

    begun: int = 0
    told: int = 0
    cut: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


async def long_request(port: int, over: asyncio.Event) -> None:  # noqa: ARG001  (it is waited for)
    """One request that takes ten seconds."""
    async with Client(port, keep=False) as client, asyncio.timeout(LONG + PATIENCE):
        status = await client.request("GET", f"/?delay={LONG}")
    if status != 200:
        raise ConnectionResetError(f"status {status}")


async def events(port: int, over: asyncio.Event) -> None:
    """One event stream, until its last event."""
    url = f"http://127.0.0.1:{port}/events?pause={PAUSE}"
    async with aiohttp.ClientSession() as session, session.get(url, timeout=aiohttp.ClientTimeout()) as answer:
        answer.raise_for_status()
        while not over.is_set():
            async with asyncio.timeout(PATIENCE):
                line = await answer.content.readline()
            if line == b"event: end\n":
                return
            if not line:
                raise ConnectionResetError("the stream ended without its last event")


async def websocket(port: int, over: asyncio.Event) -> None:
    """One websocket, until the other side says that it goes away."""
    url = f"http://127.0.0.1:{port}/socket"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        while not over.is_set():
            await socket.send_str("x" * 100)
            message = await socket.receive(PATIENCE)
            if message.type == aiohttp.WSMsgType.TEXT:
                # The next message is sent after a pause, unless the good-bye comes first.
                message = await _within(socket.receive, PAUSE)
            if message is not None:
                if (message.type, message.data) != (aiohttp.WSMsgType.CLOSE, 1001):
                    raise ConnectionResetError(f"{message.type.name} {message.data}")
                return


async def tcp(port: int, over: asyncio.Event) -> None:
    """One tcp connection to the echo, until it ends in good order.

    A line that crosses the end was not taken, as every line is answered before: it is sent again elsewhere, and then it
    has to be given back.
    """
    async with _connection(port) as (reader, writer):
        while not over.is_set():
            if not await _given_back(reader, writer):
                async with _connection(port) as (again, onwards):
                    if not await _given_back(again, onwards):
                        raise ConnectionResetError("a line was not given back twice")
                return
            if await _within(lambda: reader.read(1), PAUSE) is not None:
                return


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _given_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a line comes back; not where the connection ends instead."""
    writer.write(b"a line\n")
    async with asyncio.timeout(PATIENCE):
        answer = await reader.readline()
    if answer and not answer.endswith(b"a line\n"):
        raise ConnectionResetError("a part of a line was given back")
    return bool(answer)


async def _within(ask: Callable[[], Awaitable[T]], seconds: float) -> T | None:
    """The answer, where one comes in that time."""
    try:
        async with asyncio.timeout(seconds):
            return await ask()
    except TimeoutError:
        return None


async def again_and_again(
    one: Callable[[int, asyncio.Event], Awaitable[None]], port: int, over: asyncio.Event, kept: Kept
) -> None:
    """One after the other until the test is over."""
    while not over.is_set():
        kept.begun += 1
        try:
            await one(port, over)
            kept.told += 1
        except (OSError, EOFError, TimeoutError, aiohttp.ClientError) as error:
            kept.cut += 1
            kept.reasons[f"{type(error).__name__} {error}"] += 1
