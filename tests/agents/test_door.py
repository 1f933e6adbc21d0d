"""The door: who knows the token speaks with a probe, nobody else does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bench.ports import free_port
from stackctl.agents import door as module
from stackctl.agents.door import door

TOKEN = b"open sesame"
# Answers every line, as a probe does.
ECHO = (sys.executable, "-c", "import sys\nfor line in sys.stdin: print('heard', line.strip(), flush=True)")


async def said(port: int, *lines: bytes, answers: int) -> list[bytes]:
    """What comes back for these lines, as far as it is waited for."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(line + b"\n" for line in lines))
        heard = [await reader.readline() for _ in range(answers)]
        writer.close()
        return heard


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A token's file, and an echo in the place of the probe."""
    monkeypatch.setattr(module, "PROBE", ECHO)
    path = tmp_path / "token"
    path.write_bytes(TOKEN)
    return path


def test_the_right_token(token: Path) -> None:
    """Lines go to the probe and its answers come back, for several at the same time."""

    async def run() -> list[list[bytes]]:
        port = free_port()
        async with door(token, port=port):
            return await asyncio.gather(*(said(port, TOKEN, b"one", b"two", answers=2) for _ in range(3)))

    assert asyncio.run(run()) == [[b"heard one\n", b"heard two\n"]] * 3


@pytest.mark.parametrize("word", [b"open barley", b"", b"open sesame and more"])
def test_another_word(token: Path, word: bytes) -> None:
    """Whoever says anything else hears nothing, and the connection ends."""

    async def run() -> list[bytes]:
        port = free_port()
        async with door(token, port=port):
            return await said(port, word, b"one", answers=1)

    assert asyncio.run(run()) == [b""]


def test_no_token_no_door(tmp_path: Path) -> None:
    """On an engine that starts probes itself nobody listens."""

    async def run() -> None:
        port = free_port()
        async with door(tmp_path / "none", port=port):
            await said(port, b"", answers=1)

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(run())
