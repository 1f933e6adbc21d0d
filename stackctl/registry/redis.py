"""Redis behind the port: the Sentinels say who is master; who registers stays registered by writing again in time."""

from __future__ import annotations

import asyncio
import hashlib
from types import TracebackType
from typing import Self

from stackctl.domain.catalog import Catalog, Names, Registration, Values
from stackctl.domain.registry import RegistrySettings
from stackctl.errors import StackctlError, Unreachable
from stackctl.registry import redis_keys
from stackctl.registry.redis_keys import Member, Row
from stackctl.registry.redis_master import Master
from stackctl.registry.redis_news import KEYS, News
from stackctl.registry.redis_nodes import Node, Sentinels

POLL = 2.0  # seconds between two reads where no keyspace event came
MARK_TTL = 3_600_000  # milliseconds that a mark outlives the last sign of life of what it marks, if that gives any
PARTS = 3  # signs of life within a ttl: two may be missed, and there is still a part of it left

# A sign of life: what stands there already only lives on, so that nobody who watches is woken.
# A time of 0 is for good.
WRITE = """
local function last(key, time)
    if time == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, time) end
end
for i, value in ipairs({ARGV[1], ARGV[2]}) do
    local key = KEYS[3 - i]
    if redis.call('GET', key) ~= value then redis.call('SET', key, value) end
    last(key, ARGV[3])
end
last(KEYS[3], ARGV[4])
"""
# Only what still is this registration's: another one may have its address by now.
REMOVE = """
local known = redis.call('GET', KEYS[2])
local sound, value = pcall(cjson.decode, known or '{}')
if sound and type(value) == 'table' and value.id and value.id ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
"""


class Redis:
    """A session with the registry, as `ports.Registry`; `timeout` is for each question to the master.

    While it is open it keeps alive what was registered through it; what is left behind runs out after the ttl.
    """

    def __init__(self, told: RegistrySettings, *, timeout: float = 1.0) -> None:
        self.told = told
        self.sentinels = Sentinels(told)
        self._news = News(grace=told.ttl / 2 + 1)
        self._master = Master(told, self.sentinels, self._news, timeout)
        self._own: dict[str, tuple[Registration, Member]] = {}
        self._writing = asyncio.Lock()
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._tasks = [self._group.create_task(self._master.follow()), self._group.create_task(self._keep_alive())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            if isinstance(error, asyncio.CancelledError):
                await self._group.__aexit__(kind, error, trace)
            else:  # what the caller raised is not to be wrapped into a group
                await self._group.__aexit__(None, None, None)
        finally:
            await self._master.forget()
            await self.sentinels.close()

    # --- what the port wants -----------------------------------------------------------------------------------

    async def catalog(self, service: str, *, index: int = 0, wait: float = 0.0, consistent: bool = False) -> Catalog:
        """What is registered under a service's name; `consistent` by the master that a majority of Sentinels names."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (wait if index else 0.0)
        while True:
            count = self._news.count(service)
            rows = await self._master.do(lambda master: self._rows(master, service), majority=consistent)
            if not consistent:
                rows = self._news.merged(service, rows, loop.time())
            found = Catalog(service, *redis_keys.entries(rows), index=_index(rows))
            if found.index != index or (left := deadline - loop.time()) <= 0:
                return found
            await self._news.wait(service, count, min(POLL, left))

    async def names(self, *, index: int = 0, wait: float = 0.0) -> Names:
        """Every service that has an address."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (wait if index else 0.0)
        while True:
            count = self._news.count("")
            members = await self._master.do(self._members)
            services = tuple(sorted({member.service for member in members}))
            found = Names(services, _index(services))
            if found.index != index or (left := deadline - loop.time()) <= 0:
                return found
            await self._news.wait("", count, min(POLL, left))

    async def values(self, prefix: str, *, index: int = 0, wait: float = 0.0) -> Values:
        """Strings, whatever they are for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (wait if index else 0.0)
        pattern = redis_keys.beginning(prefix)
        while True:
            count = self._news.count(KEYS)
            items = await self._master.do(lambda master: self._items(master, pattern))
            found = Values(items, _index(items))
            if found.index != index or (left := deadline - loop.time()) <= 0:
                return found
            await self._news.wait(KEYS, count, min(POLL, left))

    async def registrations(self) -> tuple[Registration, ...]:
        """Everything sound that is registered. The check is what keeps a registration alive, and that is the session
        which wrote it: what others wrote has none, so that whoever it belongs to writes it again, and keeps it."""
        found = []
        for row in await self._master.do(self._rows):
            try:
                read = redis_keys.registered(row)
            except ValueError:
                continue
            own = self._own.get(read.id)
            same = own and (read.service, *redis_keys.written(read)) == (
                row.member.service,
                *redis_keys.written(own[0]),
            )
            found.append(own[0] if own and same else read)
        return tuple(sorted(found, key=lambda registration: registration.id))

    async def register(self, registration: Registration) -> None:
        """Write a registration and keep it alive; a mark of maintenance stays. One that nobody owns is written for
        good: nobody would write it again."""
        async with self._writing:
            before = self._own.get(registration.id)
            if before and before[0].service == registration.service and before[0].endpoint == registration.endpoint:
                member = before[1]
            else:
                member = await self._master.do(lambda master: self._place(master, registration))
            if registration.owner:
                self._own[registration.id] = (registration, member)
            await self._write(registration, member)
            if before and before[1] != member:
                await self._remove(registration.id, before[1])

    async def deregister(self, id: str) -> None:
        """Remove a registration, whoever wrote it; one that is not there is no error."""
        async with self._writing:
            own = self._own.pop(id, None)  # kept alive no more, even where it can't be removed now
            member = own[1] if own else await self._find(id)
            if member:
                await self._remove(id, member)

    async def maintain(self, id: str, reason: str | None) -> None:
        """Mark a registration as in maintenance, or take the mark away. What is written for good is marked for good."""
        member = await self._find(id)
        if member is None:
            raise StackctlError("registry-refused", f"Redis has no registration {id!r}", where=self.told.prefix)
        if reason is None:
            await self._master.do(lambda master: master.ask("DEL", member.keys[2]))
        else:
            text = redis_keys.mark(id, reason)
            await self._master.do(lambda master: self._mark(master, member, text))

    async def master(self, *, majority: bool = False) -> Node:
        """The node that is master; raises `Unreachable` or one of `redis_nodes.FAILURES`."""
        return await self._master.node(majority=majority)

    # --- reading and writing -----------------------------------------------------------------------------------

    async def _keys(self, master: Node, pattern: str) -> list[str]:
        cursor, keys = 0, set[str]()
        while True:
            cursor, page = await master.ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            keys.update(page)
            if int(cursor) == 0:
                return sorted(keys)

    async def _items(self, master: Node, pattern: str) -> tuple[tuple[str, str], ...]:
        keys = await self._keys(master, pattern)
        values = await master.ask("MGET", *keys) if keys else ()
        return tuple((key, value) for key, value in zip(keys, values, strict=True) if value is not None)

    async def _members(self, master: Node, service: str = "") -> list[Member]:
        keys = await self._keys(master, redis_keys.pattern(self.told.prefix, service))
        return sorted(filter(None, (Member.of(self.told.prefix, key) for key in keys)))

    async def _rows(self, master: Node, service: str = "") -> tuple[Row, ...]:
        members = await self._members(master, service)
        if not members:
            return ()
        values = await master.ask("MGET", *(key for member in members for key in member.keys))
        rows = [Row(member, *values[3 * n : 3 * n + 3]) for n, member in enumerate(members) if values[3 * n]]
        return tuple(rows)

    async def _find(self, id: str) -> Member | None:
        for row in await self._master.do(self._rows):
            if redis_keys.id_of(row) == id:
                return row.member
        return None

    async def _place(self, master: Node, registration: Registration) -> Member:
        """Where to write it: under its address, unless somebody else answers there on another port."""
        endpoint = registration.endpoint
        member = Member(self.told.prefix, registration.service, endpoint.address)
        there, known = await master.ask("MGET", *member.keys[:2])
        if there in (None, str(endpoint)) or redis_keys.is_of(known, registration.id):
            return member
        return Member(self.told.prefix, registration.service, str(endpoint))

    async def _write(self, registration: Registration, member: Member) -> None:
        address, known = redis_keys.written(registration)
        ttl, mark_ttl = (round(self.told.ttl * 1000), MARK_TTL) if registration.owner else (0, 0)
        # What stands beside the address comes first, so that who sees the address finds it.
        await self._master.do(lambda m: m.ask("EVAL", WRITE, 3, *member.keys, known, address, ttl, mark_ttl))

    async def _mark(self, master: Node, member: Member, text: str) -> None:
        address, _, mark = member.keys
        # Nobody gives a sign of life for what has no ttl, so nothing would keep a mark that runs out.
        for_good = await master.ask("PTTL", address) == -1
        await master.ask("SET", mark, text, *(() if for_good else ("PX", MARK_TTL)))

    async def _remove(self, id: str, member: Member) -> None:
        await self._master.do(lambda master: master.ask("EVAL", REMOVE, 3, *member.keys, id))

    async def _keep_alive(self) -> None:
        """Write again what was registered: in time, and at once at a new master, which may not have all of it."""
        while True:
            try:
                async with asyncio.timeout(self.told.ttl / PARTS):
                    await self._master.found.wait()
            except TimeoutError:
                pass
            self._master.found.clear()
            for id in list(self._own):
                async with self._writing:
                    if id in self._own:
                        try:
                            await self._write(*self._own[id])
                        except Unreachable:
                            break  # when there is a master again, it is told at once


def _index(found: object) -> int:
    """A number for what was found, never 0; equal ones have the same, in every session."""
    return int(hashlib.sha256(repr(found).encode()).hexdigest()[:12], 16) + 1
