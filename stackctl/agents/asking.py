"""The registrator's own question to an instance: does it answer yet?"""

from __future__ import annotations

import asyncio
import ssl
from functools import cache

from stackctl.domain.conventions import Question

FIRST_WAIT = 0.005
LAST_WAIT = 0.25
# So that the wait for one that takes long to start is a twentieth of the time that it took.
GROWTH = 1.05
# A lost packet is sent again after a second; a new connection is quicker. A TLS hello takes computing besides.
CONNECT_TIMEOUT = 0.25
HELLO_TIMEOUT = 1.0


async def answer(question: Question) -> None:
    """Ask again and again; return when it was answered."""
    wait = FIRST_WAIT
    while not await answers(question):
        await asyncio.sleep(wait)
        wait = min(wait * GROWTH, LAST_WAIT)


async def answers(question: Question) -> bool:
    """Whether a fresh connection is accepted, and a GET is answered with a status below 500.

    Over UDP nothing is asked: an instance that serves owes nobody an answer to nothing.
    """
    if question.transport == "udp":
        return True
    tls = question.transport == "tls"
    try:
        async with asyncio.timeout(HELLO_TIMEOUT if tls else CONNECT_TIMEOUT):
            reader, writer = await asyncio.open_connection(
                question.endpoint.address, question.endpoint.port, ssl=_any_certificate() if tls else None
            )
        try:
            async with asyncio.timeout(question.timeout):
                return not question.path or await _gets(question, reader, writer)
        finally:
            # A good-bye over TLS waits for the other side's.
            writer.transport.abort() if tls else writer.close()
    except (OSError, TimeoutError, ValueError, IndexError):
        return False


@cache
def _any_certificate() -> ssl.SSLContext:
    """Only the answer counts here: whether the certificate is good is the registry's check to tell."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _gets(question: Question, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    lines = (f"GET {question.path} HTTP/1.1", f"Host: {question.endpoint}", "Connection: close", "", "")
    writer.write("\r\n".join(lines).encode())
    protocol, status = (await reader.readline()).split()[:2]
    return protocol.startswith(b"HTTP/") and int(status) < 500
