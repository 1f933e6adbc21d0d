"""Connections to Redis nodes and Sentinels by name, and the question to the Sentinels: who is master?"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis as Client
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError

from stackctl.domain.registry import MASTER_NAME, RegistrySettings
from stackctl.errors import Unreachable

FAILURES = (RedisError, OSError, TimeoutError)
PORT = 6379
SENTINEL_TIMEOUT = 0.5
HINT = "are its nodes and Sentinels running? see `stackctl status`"

Hear = Callable[[float], Coroutine[Any, Any, tuple[str, str] | None]]


class Node:
    """One node: connected when it is asked something, and anew after every failure; its name is looked up each time,
    because a container that was made anew has another address. `timeout` is for all of it together."""

    def __init__(self, host: str, port: int, password: str, timeout: float) -> None:
        self.host, self.port = host, port
        self._password = password
        self._timeout = timeout
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._lookup: asyncio.Task[str] | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    async def ask(self, *command: str | int) -> Any:
        """The answer to one command; raises one of FAILURES, after which the next question connects anew."""
        try:
            async with asyncio.timeout(self._timeout):
                return await (await self._connected()).execute_command(*command)  # type: ignore[no-untyped-call]
        except FAILURES:
            await self.close()
            raise

    @asynccontextmanager
    async def listening(self, pattern: str) -> AsyncIterator[Hear]:
        """Channels that match are heard from now on: a function that waits so many seconds for a channel and what was
        said there, None where nothing was; raises one of FAILURES."""
        pubsub: PubSub = (await self._connected()).pubsub()

        async def hear(wait: float) -> tuple[str, str] | None:
            message = await pubsub.get_message(timeout=wait)
            heard = message is not None and message["type"] == "pmessage"
            return (message["channel"], message["data"]) if heard else None

        try:
            async with asyncio.timeout(self._timeout):
                await pubsub.psubscribe(pattern)
                while await pubsub.get_message(timeout=self._timeout) is None:
                    pass  # until it is confirmed
            yield hear
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Let go of what is connected."""
        client, self._client = self._client, None
        if client:
            try:
                await client.aclose()
            except FAILURES:
                pass  # it was broken already

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                self._client = Client(
                    host=await self._address(),
                    port=self.port,
                    password=self._password or None,
                    socket_connect_timeout=self._timeout,
                    # `ask` keeps the time: the client's own way can swallow a cancellation on Python 3.11.
                    socket_timeout=None,
                    retry=Retry(NoBackoff(), 0),  # whoever asks decides; the same node again is seldom the right one
                    decode_responses=True,
                    encoding_errors="backslashreplace",
                    protocol=2,
                )
            return self._client

    async def _address(self) -> str:
        # A lookup that hangs keeps a thread: the next question waits for the same one.
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.create_task(_resolved(self.host, self.port))
            self._lookup.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._lookup)


async def _resolved(host: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    return str((await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0][4][0])


class Sentinels:
    """All Sentinels of a registry."""

    def __init__(self, told: RegistrySettings) -> None:
        addresses = [sentinel.rpartition(":") for sentinel in told.sentinels]
        self.nodes = [Node(host, int(port), told.password, SENTINEL_TIMEOUT) for host, _, port in addresses]
        self._where = ", ".join(told.sentinels)

    async def master(self, *, majority: bool) -> str:
        """The master's address: what a majority of all Sentinels says, as soon as that is known; else what most of
        those say that answer, unless a `majority` is demanded. Raises `Unreachable` where there is none."""
        asked = [asyncio.create_task(self._named(node)) for node in self.nodes]
        votes: Counter[str] = Counter()
        failures: list[BaseException] = []
        enough = len(self.nodes) // 2 + 1
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    votes[await answer] += 1
                except FAILURES as error:
                    failures.append(error)
                if votes and votes.most_common(1)[0][1] >= enough:
                    break
        finally:
            for task in asked:
                task.cancel()
        if not votes:
            raise self._silent(failures)
        address, count = votes.most_common(1)[0]
        if majority and count < enough:
            answered = votes.total()
            message = f"{answered} of {len(self.nodes)} Sentinels answer, {count} of them with the same master"
            raise Unreachable("registry-unreachable", f"Redis has no quorum: {message}", where=self._where, hint=HINT)
        return address

    async def close(self) -> None:
        """Let go of all of them."""
        await asyncio.gather(*(node.close() for node in self.nodes))

    async def _named(self, node: Node) -> str:
        answer = await node.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
        if not answer:
            raise RedisError(f"{node} knows no master called {MASTER_NAME}")
        return str(answer[0])

    def _silent(self, failures: list[BaseException]) -> Unreachable:
        refused = [error for error in failures if refuses_password(error)]
        if refused:
            return lost(refused[0], self._where)
        reasons = "; ".join(dict.fromkeys(in_words(error) for error in failures))
        return Unreachable(
            "registry-unreachable", f"no Sentinel names a master: {reasons}", where=self._where, hint=HINT
        )


def refuses_password(error: BaseException) -> bool:
    """Whether a node has answered, and wants another password."""
    return isinstance(error, AuthenticationError) or str(error).startswith(("NOAUTH", "WRONGPASS"))


def in_words(error: BaseException) -> str:
    """What went wrong; timeouts say nothing by themselves."""
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)


def lost(error: BaseException, where: str) -> Unreachable:
    """What agents are told of a failure."""
    if refuses_password(error):
        hint = "the same `password` must be in the spec that Redis was started with: run `stackctl up`"
        return Unreachable("registry-unreachable", "Redis refuses the password", where=where, hint=hint)
    return Unreachable("registry-unreachable", f"Redis does not answer: {in_words(error)}", where=where, hint=HINT)
