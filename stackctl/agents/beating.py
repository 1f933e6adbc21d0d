"""One app's registration: there while the app answers, gone before it is told to go."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

from stackctl.agents.asking import answers
from stackctl.agents.loop import Backoff, Log
from stackctl.domain.catalog import WEIGHT_META, Registration, RegistryCheck
from stackctl.domain.conventions import Question
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.errors import StackctlError
from stackctl.ports import Registry

PARTS = 3  # signs of life within a ttl: two may be missed, and there is still a part of it left
PATIENCE = 3  # questions in a row that a registered app may leave without an answer
FIRST_LOOK = 0.02  # seconds between two questions to an app that has not answered yet
SECOND_LOOK = 0.5  # the same where a registered one does not
GOODBYE = 2.0  # seconds for the registry to take the deregistration


class Beating:
    """Asks the app and tells the registry, until it is to leave."""

    def __init__(
        self, told: RegistrySettings, registry: Registry, log: Log, *, service: str, port: int, weight: int
    ) -> None:
        self._service, self._port, self._weight = service, port, weight
        self._period = told.ttl / PARTS
        self._hosts = (
            [urlsplit(told.url).hostname or ""] if told.url else [s.rpartition(":")[0] for s in told.sentinels]
        )
        self._registry = registry
        self._log = log
        self._peer: tuple[socket.AddressFamily, tuple[Any, ...]] | None = None
        self._written: Registration | None = None
        self._confirmed = False
        self._leaving = False
        self._telling = asyncio.Lock()  # what is being written must not come after the goodbye

    async def run(self) -> None:
        """Until cancelled, or `leave`."""
        backoff = Backoff(last=0.5)
        missed = 0
        while not self._leaving:
            try:
                endpoint = Endpoint(await self._address(), self._port)
                missed = 0 if await answers(Question(endpoint)) else missed + 1
                if not missed:
                    await self._register(self._registration(endpoint))
                elif self._written and missed >= PATIENCE:
                    self._log("the app does not answer", level="warning", endpoint=str(endpoint))
                    await self._deregister()
                backoff.reset()
            except (StackctlError, OSError) as error:
                self._log("the registry was not told", level="warning", reason=getattr(error, "message", str(error)))
                await backoff.wait()
            else:
                unsure = SECOND_LOOK if self._written else FIRST_LOOK
                await asyncio.sleep(min(unsure, self._period) if missed else self._period)

    async def leave(self) -> bool:
        """Deregister for good; whether there was anything that the registry had to forget. It has seconds for it: what
        it could not be told runs out."""
        self._leaving = True
        try:
            async with asyncio.timeout(GOODBYE):
                return await self._deregister()
        except (StackctlError, TimeoutError) as error:
            self._log("not deregistered", level="warning", reason=getattr(error, "message", "no answer in time"))
            return True

    async def _register(self, registration: Registration) -> None:
        async with self._telling:
            if self._leaving:
                return
            self._confirmed = self._confirmed and registration == self._written
            self._written = registration  # at once: a write without an answer may have been one
            await self._registry.register(registration)
            if not self._confirmed:
                self._confirmed = True
                self._log("registered", id=registration.id, endpoint=str(registration.endpoint))

    async def _deregister(self) -> bool:
        async with self._telling:
            if self._written is None:
                return False
            await self._registry.deregister(self._written.id)
            self._log("deregistered", id=self._written.id)
            self._written, self._confirmed = None, False
            return True

    def _registration(self, endpoint: Endpoint) -> Registration:
        name = socket.gethostname()
        return Registration(
            id=f"{self._service}-{name}",
            service=self._service,
            endpoint=endpoint,
            instance=name,
            owner=f"heartbeat/{name}",
            meta=((WEIGHT_META, str(self._weight)),),
            check=RegistryCheck("", str(endpoint), 1.0, 1.0, 5400.0),
        )

    async def _address(self) -> str:
        """This container's address on the network of the registry: the source of a packet to it, which is not sent."""
        if self._peer is None:
            self._peer = await self._any_peer()
        with socket.socket(self._peer[0], socket.SOCK_DGRAM) as probe:
            probe.connect(self._peer[1])
            return str(probe.getsockname()[0])

    async def _any_peer(self) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
        loop = asyncio.get_running_loop()
        problem = OSError("nobody has said where the registry is")
        for host in self._hosts:
            try:
                family, _, _, _, address = (await loop.getaddrinfo(host, 9, type=socket.SOCK_DGRAM))[0]
            except OSError as error:
                problem = OSError(f"{host}: {error}")
            else:
                return family, address
        raise problem
