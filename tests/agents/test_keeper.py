"""Whether a machine has an address is read as the kernel writes it; whether it may have it, real servers are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from stackctl.agents import keeper
from stackctl.agents.keeper import local_addresses

SCRIPT = Path(__file__).parents[2] / "templates" / "images" / "keepalived" / "alive.sh"

TABLE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 172.18.0.0/16 2 0 2
        |-- 172.18.0.0
           /16 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 172.18.0.0/16 2 0 2
        |-- 172.18.0.11
           /32 host LOCAL
        |-- 172.18.0.100
           /32 host LOCAL
        |-- 172.18.255.255
           /32 link BROADCAST
"""


def test_local_addresses() -> None:
    """Addresses of the machine itself count, primary or not; routes and broadcasts do not."""
    assert list(local_addresses(TABLE)) == ["127.0.0.1", "172.18.0.11", "172.18.0.100"]


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def script(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script as it is here."""
    monkeypatch.setattr(keeper, "ASK", ("bash", str(SCRIPT)))


async def asked(handler: Handler, whose: str) -> bool:
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        return await keeper.fit(server.sockets[0].getsockname()[1], whose)


@pytest.mark.parametrize(
    ("text", "whose", "fit"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nstackctl shop\n", "shop", True),
        (b"HTTP/1.1 200 OK\r\n\r\nstackctl shop\n", "", True),
        (b"HTTP/1.1 200 OK\r\n\r\nstackctl shop-two\n", "shop", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\nno such page\n", "shop", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\nno such page\n", "", True),
        (b"SSH-2.0-OpenSSH\r\n", "", False),
        (b"", "", False),
    ],
)
def test_who_is_fit(text: bytes, whose: str, fit: bool) -> None:
    """The balancer of that stack makes a machine fit; where nobody's is asked for, whatever speaks HTTP does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\r\n\r\n") == b"GET /.stackctl/alive HTTP/1.0\r\n\r\n"
        writer.write(text)
        writer.close()

    assert asyncio.run(asked(answer, whose)) == fit


def test_nothing_is_left_of_a_look() -> None:
    """Who accepts and says nothing is not fit, and the connection to it ends with the look."""

    async def look() -> None:
        ended = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            ended.set()
            writer.close()

        assert not await asked(hang, "shop")
        async with asyncio.timeout(2.0):
            await ended.wait()

    asyncio.run(look())
