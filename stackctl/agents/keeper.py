"""What the keepalived of a machine shows: whether the machine has the virtual address, and whether it is fit to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from stackctl.domain.balancer import ALIVE

ROUTES = Path("/proc/net/fib_trie")  # the machine's own, because keepalived runs in its network
ASK = ("bash", "/opt/stackctl/alive.sh")  # what keepalived itself goes by
PATIENCE = 1.0


async def keeper(address: str, port: int, whose: str) -> dict[str, bool]:
    """`holds`: the machine has that address; `fit`: a balancer of `whose` stack answers at that port of it."""
    table = await asyncio.to_thread(ROUTES.read_text)
    return {"holds": address in set(local_addresses(table)), "fit": await fit(port, whose)}


def local_addresses(table: str) -> Iterator[str]:
    """The addresses of the machine, as the kernel's table of routes has them: each is a leaf whose route is local."""
    leaf = ""
    for line in table.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "|--":
            leaf = rest
        elif word == "/32" and rest == "host LOCAL":
            yield leaf


async def fit(port: int, whose: str) -> bool:
    """What keepalived's own check says now; nothing of it is left behind."""
    nowhere = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *ASK, str(port), ALIVE, whose, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
    )
    try:
        async with asyncio.timeout(PATIENCE):
            return await process.wait() == 0
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it ended in the same moment
            os.killpg(process.pid, signal.SIGKILL)  # what it started has the connection too
        await process.wait()
        return False
