"""Consul behind the port: one session to one agent, which finds the servers itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver

from stackctl.domain.catalog import Catalog, Names, Registration, Values
from stackctl.errors import StackctlError, Unreachable
from stackctl.registry import consul_json

CONNECT_TIMEOUT = 1.0
# Consul adds up to a sixteenth to the time that a blocking query waits, so that not all return at once.
JITTER = 1 / 16


class Consul:
    """A session with a Consul agent, as `ports.Registry`; `timeout` is for what Consul answers at once,
    `resolver` finds the agent where its name does not suffice.

    async with Consul("http://consul-agent:8500") as registry:
        catalog = await registry.catalog("web", index=catalog.index, wait=30)
    """

    def __init__(self, url: str, *, timeout: float = 2.0, resolver: AbstractResolver | None = None) -> None:
        self.url = url.rstrip("/")
        self._resolver = resolver
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._node = ""  # the agent's name, once it was asked

    async def __aenter__(self) -> Self:
        # No cache of names: an agent that was made anew has another address, and its old one hangs.
        connector = aiohttp.TCPConnector(use_dns_cache=False, resolver=self._resolver)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def catalog(self, service: str, *, index: int = 0, wait: float = 0.0, consistent: bool = False) -> Catalog:
        """What is registered under a service's name, passing or not; the entries tell."""
        query = {"index": str(index), "wait": f"{round(wait * 1000)}ms"} if index and wait else {}
        query |= {"consistent": "1"} if consistent else {}
        path = f"/v1/health/service/{quote(service, safe='')}"
        answer, headers = await self._ask("GET", path, query, wait=wait if index else 0.0)
        try:
            return consul_json.catalog(service, answer, consul_json.next_index(index, headers.get("X-Consul-Index")))
        except (KeyError, TypeError, AttributeError) as error:
            raise self._lost(f"{path} answered something that Consul does not") from error

    async def names(self, *, index: int = 0, wait: float = 0.0) -> Names:
        """Every service in the catalog, Consul's own left out."""
        query = {"index": str(index), "wait": f"{round(wait * 1000)}ms"} if index and wait else {}
        answer, headers = await self._ask("GET", "/v1/catalog/services", query, wait=wait if index else 0.0)
        if not isinstance(answer, dict):
            raise self._lost("/v1/catalog/services answered something that Consul does not")
        services = tuple(sorted(str(name) for name in answer if name != "consul"))
        return Names(services, consul_json.next_index(index, headers.get("X-Consul-Index")))

    async def values(self, prefix: str, *, index: int = 0, wait: float = 0.0) -> Values:
        """Keys of the KV store; what is no text is left out."""
        query = {"recurse": "true"} | (
            {"index": str(index), "wait": f"{round(wait * 1000)}ms"} if index and wait else {}
        )
        path = f"/v1/kv/{quote(prefix)}"
        answer, headers = await self._ask("GET", path, query, wait=wait if index else 0.0, missing_is_fine=True)
        try:
            items = consul_json.values(answer or ())
        except (KeyError, TypeError, AttributeError) as error:
            raise self._lost(f"{path} answered something that Consul does not") from error
        return Values(items, consul_json.next_index(index, headers.get("X-Consul-Index")))

    async def registrations(self) -> tuple[Registration, ...]:
        """What this agent holds and the servers know of it."""
        held, known = await self.get("/v1/agent/services"), await self._known()
        try:
            return consul_json.agreed(consul_json.registrations(held), consul_json.registrations(known))
        except (KeyError, TypeError, AttributeError) as error:
            raise self._lost("/v1/agent/services answered something that Consul does not") from error

    async def register(self, registration: Registration) -> None:
        """Write a registration; a maintenance mark and the state of its check stay as they are."""
        # The agent takes it without a leader too, and passes it on as late as it likes: up to 15 s after there is one.
        if not await self.get("/v1/status/leader"):
            raise self._lost("the cluster has no leader")
        await self._ask("PUT", "/v1/agent/service/register", body=consul_json.service(registration))
        if registration.id not in await self._known():
            raise self._lost(f"its agent has not passed on {registration.id}")

    async def deregister(self, id: str) -> None:
        """Remove a registration from this agent and the servers; one that is not there is no error."""
        await self._ask("PUT", f"/v1/agent/service/deregister/{quote(id, safe='')}", missing_is_fine=True)
        if id in await self._known():
            await self._ask("PUT", "/v1/catalog/deregister", body={"Node": self._node, "ServiceID": id})

    async def maintain(self, id: str, reason: str | None) -> None:
        """Mark a registration of this agent as in maintenance, or take the mark away."""
        query = {"enable": "true", "reason": reason} if reason is not None else {"enable": "false"}
        await self._ask("PUT", f"/v1/agent/service/maintenance/{quote(id, safe='')}", query)

    async def get(self, path: str, **query: str) -> Any:
        """Any other answer of Consul's API, for a look at the cluster itself."""
        return (await self._ask("GET", path, query))[0]

    async def _known(self) -> Mapping[str, Any]:
        """What the servers know of this agent's registrations, by id."""
        if not self._node:
            self._node = str((await self.get("/v1/agent/self"))["Config"]["NodeName"])
        # Null: the agent has not joined yet, or was away for so long that it is forgotten.
        return dict((await self.get(f"/v1/catalog/node/{quote(self._node, safe='')}") or {}).get("Services") or {})

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        wait: float = 0.0,
        missing_is_fine: bool = False,
    ) -> tuple[Any, Mapping[str, str]]:
        if self._session is None:
            raise RuntimeError("Consul is used outside of `async with`")
        total = self._timeout + wait * (1 + JITTER)
        timeout = aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_TIMEOUT)
        try:
            async with self._session.request(
                method, self.url + path, params=query, json=body, timeout=timeout
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._lost(str(error) or type(error).__name__) from error
        if response.status != 200 and not (response.status == 404 and missing_is_fine):
            text = content.decode(errors="replace").strip()[:300]
            raise self._refused(response.status, path, text)
        try:
            return json.loads(content) if method == "GET" and content else None, response.headers
        except ValueError as error:
            raise self._lost(f"{path} answered something that is not JSON") from error

    def _refused(self, status: int, path: str, text: str) -> StackctlError:
        # Only these two are about what was asked; anything else says that the registry is not well.
        if status in (400, 404) and path.startswith("/v1/agent/service/"):
            return StackctlError("registry-refused", f"Consul refused: {text}", where=f"{self.url}{path}")
        return self._lost(f"status {status}: {text}")

    def _lost(self, why: str) -> Unreachable:
        return Unreachable(
            "registry-unreachable",
            f"Consul does not answer: {why}",
            where=self.url,
            hint="is its agent running, and has the cluster a leader? see `stackctl status`",
        )
