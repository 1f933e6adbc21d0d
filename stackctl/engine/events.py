"""The engine as an agent beside it sees it: its event stream, and what it answers about a container."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp

from stackctl.domain.container import Container
from stackctl.engine import container_json
from stackctl.engine.container_json import EngineEvent
from stackctl.errors import Unreachable

SOCKET = "/var/run/docker.sock"
# What changes who should be registered. The engine leaves out the rest, such as the start of every health check.
ACTIONS = (
    "start",
    "die",
    "kill",
    "pause",
    "unpause",
    "rename",
    "health_status",
    "destroy",
    "connect",
    "disconnect",
)
LINE_LIMIT = 2**20  # an event carries every label of its container
# The engine answers a subscriber a moment before it subscribes it: what happened meanwhile is asked for again.
OVERLAP = 1.0


class NotListening(Unreachable):
    """The socket is there and nobody listens on it: the engine is away, or has another socket by now."""


class EngineSocket:
    """A session with the engine over its socket. Every method raises `Unreachable` where the engine does not answer."""

    def __init__(self, socket: str = SOCKET, *, timeout: float = 10.0) -> None:
        self.socket = socket
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            "http://engine",
            connector=aiohttp.UnixConnector(self.socket),
            timeout=self._timeout,
            read_bufsize=LINE_LIMIT,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        """Inside, every event is told, from a moment before on; the iterator ends when the engine closes the stream.

        List the containers inside, so that none is missed in between.
        """
        filters = json.dumps({"type": ["container", "network"], "event": list(ACTIONS)})
        query = {"since": f"{time.time() - OVERLAP:.6f}", "filters": filters}
        endless = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout.total)
        with self._trusted():
            response = await self._client.get("/events", params=query, timeout=endless)
        try:
            yield self._read(response)
        finally:
            response.close()

    async def containers(self, network: str) -> tuple[str, ...]:
        """The ids of the containers on a network that have not ended."""
        filters = json.dumps({"network": [network]})
        with self._trusted():
            async with self._client.get("/containers/json", params={"filters": filters}) as response:
                return tuple(raw["Id"] for raw in await self._content(response))

    async def addresses(self, labels: Mapping[str, str], network: str) -> tuple[str, ...]:
        """Where running containers with these labels are on a network, the newest first."""
        filters = json.dumps({"label": [f"{name}={value}" for name, value in labels.items()], "status": ["running"]})
        with self._trusted():
            async with self._client.get("/containers/json", params={"filters": filters}) as response:
                found = sorted(await self._content(response), key=lambda raw: -float(raw["Created"]))
                attached = (raw["NetworkSettings"]["Networks"].get(network) or {} for raw in found)
                return tuple(own["IPAddress"] for own in attached if own.get("IPAddress"))

    async def node_address(self) -> str:
        """Where other members of the Swarm reach this node; empty outside of one."""
        with self._trusted():
            async with self._client.get("/info") as response:
                return str(((await self._content(response)).get("Swarm") or {}).get("NodeAddr", ""))

    async def volumes(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The names of the volumes with these labels."""
        filters = json.dumps({"label": [f"{name}={value}" for name, value in labels.items()]})
        with self._trusted():
            async with self._client.get("/volumes", params={"filters": filters}) as response:
                return tuple(raw["Name"] for raw in (await self._content(response)).get("Volumes") or ())

    async def remove_volume(self, name: str) -> bool:
        """Remove a volume; False where something uses it still."""
        with self._trusted():
            async with self._client.delete(f"/volumes/{name}") as response:
                return response.status in (204, 404)

    async def inspect(self, id: str) -> Container | None:
        """The facts of one container, or None where it is gone."""
        with self._trusted():
            async with self._client.get(f"/containers/{id}/json") as response:
                gone = response.status == 404
                return None if gone else container_json.container(await self._content(response))

    async def stop_signal(self, image: str) -> str:
        """The signal by which containers of an image are asked to end."""
        with self._trusted():
            async with self._client.get(f"/images/{image}/json") as response:
                return str((await self._content(response))["Config"].get("StopSignal") or "SIGTERM")

    async def signal(self, id: str, signal: str) -> None:
        """Send a signal to a container; one that has ended is no error."""
        with self._trusted():
            async with self._client.post(f"/containers/{id}/kill", params={"signal": signal}) as response:
                if response.status not in (204, 404, 409):
                    raise self._lost(f"status {response.status}: {(await response.text())[:300]}")

    async def _read(self, response: aiohttp.ClientResponse) -> AsyncIterator[EngineEvent]:
        with self._trusted():
            if response.status != 200:
                await self._content(response)
            async for line in response.content:
                yield container_json.event(json.loads(line))

    async def _content(self, response: aiohttp.ClientResponse) -> Any:
        if response.status != 200:
            raise self._lost(f"status {response.status}: {(await response.text())[:300]}")
        return await response.json()

    @property
    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("EngineSocket is used outside of `async with`")
        return self._session

    @contextmanager
    def _trusted(self) -> Iterator[None]:
        try:
            yield
        # The last three: something that no engine answers.
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            refused = isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
            raise self._lost(str(error) or type(error).__name__, NotListening if refused else Unreachable) from error

    def _lost(self, why: str, kind: type[Unreachable] = Unreachable) -> Unreachable:
        return kind(
            "engine-unreachable",
            f"the engine does not answer: {why}",
            where=self.socket,
            hint="is the engine running, and its socket mounted and readable for this user?",
        )
