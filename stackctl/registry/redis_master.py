"""The master of a Redis registry, whoever that is now: found through the Sentinels, followed when another is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from stackctl.domain.registry import RegistrySettings
from stackctl.errors import Unreachable
from stackctl.registry.redis_keys import Member
from stackctl.registry.redis_news import News
from stackctl.registry.redis_nodes import FAILURES, PORT, Node, Sentinels, lost

T = TypeVar("T")

LOOK = 1.0  # seconds between two questions who is master
SEARCH = 0.1  # the same while nobody is


class Master:
    """One connection's worth of it; `found` is set whenever a master was found anew."""

    def __init__(self, told: RegistrySettings, sentinels: Sentinels, news: News, timeout: float) -> None:
        self.found = asyncio.Event()
        self._told = told
        self._sentinels = sentinels
        self._news = news
        self._timeout = timeout
        self._node: Node | None = None

    async def node(self, *, majority: bool = False) -> Node:
        """The node that is master by the Sentinels' word and by its own; raises `Unreachable` or one of FAILURES."""
        if self._node and not majority:
            return self._node
        host = self._named(await self._sentinels.master(majority=majority))
        if self._node is None or self._node.host != host:
            await self.forget()
            self._node = Node(host, PORT, self._told.password, self._timeout)
        node = self._node
        role = (await node.ask("ROLE"))[0]
        if role != "master":
            raise RedisError(f"the Sentinels call {node} master, and it says that it is a {role}")
        return node

    async def do(self, work: Callable[[Node], Awaitable[T]], *, majority: bool = False) -> T:
        """Done at the master; where that fails, once more at whoever is master then. Raises `Unreachable`."""
        again = False
        while True:
            try:
                return await work(await self.node(majority=majority))
            except FAILURES as error:
                where = str(self._node or "")
                self._news.lost(asyncio.get_running_loop().time())
                await self.forget()
                if again:
                    raise lost(error, where) from error
                again = True

    async def forget(self) -> None:
        """Let go of it: the next question looks for it anew."""
        node, self._node = self._node, None
        if node:
            await node.close()

    async def follow(self) -> None:
        """Keep to it: hear what changes there, and notice when another one is chosen. Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                node = await self.node()
                async with node.listening("__keyspace@0__:*") as hear:
                    self._news.found(loop.time())
                    self.found.set()
                    look = loop.time() + LOOK
                    while self._node is node:
                        if message := await hear(max(0.01, look - loop.time())):
                            self._heed(*message)
                        if loop.time() >= look:
                            await self._look_for_another(node)
                            look = loop.time() + LOOK
            except (*FAILURES, Unreachable):
                await self.forget()
            self._news.lost(loop.time())
            await asyncio.sleep(SEARCH)

    async def _look_for_another(self, node: Node) -> None:
        try:
            address = await self._sentinels.master(majority=False)
        except Unreachable:
            return  # as long as the master answers, nobody else is needed
        if self._named(address) != node.host:
            await self.forget()

    def _named(self, address: str) -> str:
        return self._told.nodes.get(address, address)

    def _heed(self, channel: str, event: str) -> None:
        key = channel.partition(":")[2]
        member = Member.of(self._told.prefix, key)
        # That a mark comes or goes says nothing of who is registered.
        is_mark = member is not None and key == member.keys[2]
        self._news.heard(member, "changed" if is_mark and event in ("set", "del") else event)
