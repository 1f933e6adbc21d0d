"""The registrator's own question, asked of real servers."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.agents.asking import answer, answers
from stackctl.domain.conventions import Question
from stackctl.domain.instance import Endpoint

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def serve(handler: Handler, port: int = 0) -> tuple[asyncio.Server, int]:
    """A server on 127.0.0.1, and its port."""
    server = await asyncio.start_server(handler, "127.0.0.1", port)
    return server, server.sockets[0].getsockname()[1]


def saying(text: bytes) -> Handler:
    """Reads a request and answers this."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        writer.close()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and says nothing until the other side goes."""
    await reader.read()
    writer.close()


def question(port: int, path: str = "", timeout: float = 0.2) -> Question:
    """A question to a server on 127.0.0.1."""
    return Question(Endpoint("127.0.0.1", port), path, timeout)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"HTTP/1.1 fine\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH 200\r\n", False),
        (b"\r\n", False),
        (b"", False),
        (b"x" * 200_000, False),
    ],
)
def test_statuses(text: bytes, good: bool) -> None:
    """Any HTTP status below 500 is an answer, and nothing else is."""

    async def story() -> None:
        _, port = await serve(saying(text))
        assert await answers(question(port, "/up")) is good
        assert await answers(question(port))

    asyncio.run(story())


def test_over_tls(tmp_path: Path) -> None:
    """A GET over TLS takes any certificate; a server that speaks no TLS has not answered."""
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    make = ("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1", "-subj", "/CN=nobody")
    subprocess.run([*make, "-keyout", key, "-out", chain], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)

    async def story() -> None:
        handler = saying(b"HTTP/1.1 200 OK\r\n\r\n")
        server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        assert await answers(replace(question(port, "/up", 2.0), transport="tls"))
        _, plain = await serve(handler)
        assert not await answers(replace(question(plain, "/up"), transport="tls"))

    asyncio.run(story())


def test_udp_is_not_asked() -> None:
    """Over UDP nothing can be asked, so that nothing is waited for."""
    assert asyncio.run(answers(replace(question(1), transport="udp")))


def test_silence() -> None:
    """Who accepts and stays silent has not answered a GET, and holds nobody up for longer than the timeout."""

    async def story() -> None:
        _, port = await serve(silent)
        began = time.monotonic()
        assert not await answers(question(port, "/up"))
        assert time.monotonic() - began < 1

    asyncio.run(story())


def test_until_it_answers() -> None:
    """An instance is asked until it answers, and that is noticed soon."""

    async def story() -> None:
        server, port = await serve(silent)
        server.close()
        await server.wait_closed()
        asked = asyncio.create_task(answer(question(port, "/up")))
        await asyncio.sleep(0.3)
        assert not asked.done()
        await serve(saying(b"HTTP/1.1 200 OK\r\n\r\n"), port)
        began = time.monotonic()
        await asked
        assert time.monotonic() - began < 0.25

    asyncio.run(story())
