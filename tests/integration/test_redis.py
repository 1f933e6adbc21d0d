"""`Redis` against real Redis nodes and Sentinels, and the heartbeat with it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.ports import free_port
from stackctl.agents import redis_cluster
from stackctl.domain.catalog import Catalog, RegistryCheck
from stackctl.domain.stack import RedisRegistry
from stackctl.errors import StackctlError, Unreachable
from stackctl.planning.redis import DOWN_AFTER
from stackctl.registry.redis import Redis
from tests.integration.lab import eventually
from tests.integration.redis_lab import PASSWORD, RedisLab, redis_lab, registration

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisLab]:
    """A master, a replica and three Sentinels; registrations live for three seconds."""
    with redis_lab(tmp_path_factory.mktemp("redis")) as lab:
        yield lab


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisLab]:
    """The same for one test, which breaks it."""
    with redis_lab(tmp_path) as lab:
        yield lab


def ids(catalog: Catalog) -> list[str]:
    """Who is registered."""
    return [entry.registration for entry in catalog.entries]


def test_there_and_back(redis: RedisLab) -> None:
    """A registration passes at once, is read back as it was written, and is gone when it is removed, twice too."""
    check = RegistryCheck("", "192.0.2.1:80", 1.0, 1.0, 60.0)
    web = replace(registration(1, "there"), tags=("blue", "a,b"), check=check)

    async def story(session: Redis) -> None:
        await session.register(web)
        assert web in await session.registrations()
        (entry,) = (await session.catalog("there", consistent=True)).entries
        assert (entry.id, entry.endpoint, entry.weight, entry.tags) == ("there-1", web.endpoint, 10, web.tags)
        assert "there" in (await session.names()).services
        async with Redis(redis.told) as other:  # it does not keep it alive, so it knows of no check
            assert replace(web, check=None) in await other.registrations()
        master = await session.master()
        assert await master.ask("GET", "/work/there/ips/192.0.2.1") == "192.0.2.1:80"
        await session.deregister("there-1")
        await session.deregister("there-1")
        assert await master.ask("KEYS", "/work/there/*") == []

    redis.ask(story)


def test_woken_by_keyspace_events(redis: RedisLab) -> None:
    """Who waits sees a registration, a mark and a removal within a fraction of a second, and signs of life do not
    wake him."""

    async def story(session: Redis) -> None:
        async with Redis(redis.told) as watcher:
            before = await watcher.catalog("woken")
            assert before.entries == () and before.index > 0
            for change in (
                session.register(registration(1, "woken")),
                session.maintain("woken-1", "a reason"),
                session.maintain("woken-1", None),
                session.deregister("woken-1"),
            ):
                waiting = asyncio.create_task(watcher.catalog("woken", index=before.index, wait=30))
                began = time.monotonic()
                await change
                after = await waiting
                assert time.monotonic() - began < 0.5
                assert after.index != before.index
                before = after
            await session.register(registration(2, "woken"))
            before = await watcher.catalog("woken")
            again = await watcher.catalog("woken", index=before.index, wait=4.0)  # longer than the ttl
            assert again == before and ids(again) == ["woken-2"]
            await session.deregister("woken-2")

    redis.ask(story)


def test_values(redis: RedisLab) -> None:
    """Strings are read by their beginning, wherever they stand, and who waits for them is woken."""

    async def story(session: Redis) -> None:
        master = await session.master()
        await master.ask("SET", "/config/colour", "blue")
        await master.ask("RPUSH", "/config/list", "no string")
        before = await session.values("/config/")
        assert before.items == (("/config/colour", "blue"),)
        waiting = asyncio.create_task(session.values("/config/", index=before.index, wait=30))
        began = time.monotonic()
        await master.ask("SET", "/config/size", "7")
        assert (await waiting).items == (("/config/colour", "blue"), ("/config/size", "7"))
        assert time.monotonic() - began < 0.5
        await master.ask("DEL", "/config/colour", "/config/size", "/config/list")

    redis.ask(story)


def test_marks_survive_signs_of_life(redis: RedisLab) -> None:
    """A drain mark is still there when the registration was written again, and is about that registration only."""

    async def story(session: Redis) -> None:
        await session.register(registration(1, "marked"))
        await session.maintain("marked-1", "a reason")
        await session.register(replace(registration(1, "marked"), tags=("green",)))
        (entry,) = (await session.catalog("marked")).entries
        assert (entry.draining, entry.drain_reason, entry.tags) == (True, "a reason", ("green",))
        await session.register(replace(registration(1, "marked"), id="another"))  # at the same address
        (entry,) = (await session.catalog("marked")).entries
        assert (entry.registration, entry.draining) == ("another", False)
        await session.deregister("marked-1")  # a late goodbye of the one before
        assert ids(await session.catalog("marked")) == ["another"]
        await session.deregister("another")
        with pytest.raises(StackctlError, match="no registration"):
            await session.maintain("marked-1", "nobody is there")

    redis.ask(story)


def test_marked_for_good(redis: RedisLab) -> None:
    """The mark of what nobody writes again does not run out, whoever wrote it, and goes with the registration."""

    async def story(session: Redis) -> None:
        master = await session.master()
        await master.ask("SET", "/work/lasting/ips/192.0.2.2", "192.0.2.2:80")
        for id, address in (("lasting-1", "192.0.2.1"), ("192.0.2.2", "192.0.2.2")):
            if id == "lasting-1":
                await session.register(registration(1, "lasting", owner=""))
            await session.maintain(id, "a reason")
            if id == "lasting-1":
                await session.register(registration(1, "lasting", owner=""))
            assert await master.ask("PTTL", f"/work/lasting/drains/{address}") == -1
            await session.deregister(id)
        await session.register(registration(3, "lasting"))
        await session.maintain("lasting-3", "a reason")
        assert await master.ask("PTTL", "/work/lasting/drains/192.0.2.3") > 0
        await session.deregister("lasting-3")
        assert await master.ask("KEYS", "/work/lasting/*") == []

    redis.ask(story)


def test_left_behind(redis: RedisLab) -> None:
    """What nobody keeps alive runs out; what stackctl wrote for nobody in particular stays."""
    redis.ask(lambda session: session.register(registration(1, "left")))
    redis.ask(lambda session: session.register(registration(2, "left", owner="")))
    assert ids(redis.ask(lambda session: session.catalog("left"))) == ["left-1", "left-2"]
    took = eventually("the first one runs out", lambda: ids(redis.ask(lambda s: s.catalog("left"))) == ["left-2"])
    assert took < redis.registry.ttl + 1.5
    redis.ask(lambda session: session.deregister("left-2"))


def test_foreign_writers(redis: RedisLab) -> None:
    """An app that only writes its address is served under it; text that is no address is set aside with the reason."""

    async def story(session: Redis) -> None:
        master = await session.master()
        await master.ask("SET", "/work/foreign/ips/10.0.0.1", "10.0.0.1:8080", "EX", 30)
        await master.ask("SET", "/work/foreign/ips/10.0.0.2", "10.0.0.2:80; evil", "EX", 30)
        await master.ask("SET", "/work/foreign/other/10.0.0.3", "10.0.0.3:80", "EX", 30)
        found = await session.catalog("foreign")
        assert [(entry.id, str(entry.endpoint)) for entry in found.entries] == [("10.0.0.1", "10.0.0.1:8080")]
        assert [(aside.id, "no ip:port" in aside.reason) for aside in found.set_aside] == [("10.0.0.2", True)]
        await session.maintain("10.0.0.1", "a reason")
        assert [entry.draining for entry in (await session.catalog("foreign")).entries] == [True]
        await session.deregister("10.0.0.1")
        assert ids(await session.catalog("foreign")) == []

    redis.ask(story)


def test_two_on_one_address(redis: RedisLab) -> None:
    """Two instances behind one address, as on a host, have a key each."""

    async def story(session: Redis) -> None:
        first = registration(1, "twins")
        second = replace(first, id="twins-2", endpoint=replace(first.endpoint, port=81))
        for each in (first, second, first, second):
            await session.register(each)
        assert ids(await session.catalog("twins")) == ["twins-1", "twins-2"]
        await session.deregister("twins-1")
        await session.deregister("twins-2")
        assert ids(await session.catalog("twins")) == []

    redis.ask(story)


def test_wrong_password(redis: RedisLab) -> None:
    """A wrong password is said to be one."""
    with pytest.raises(Unreachable, match="refuses the password"):
        redis.ask(lambda session: session.catalog("webapp"), password="wrong")


def test_without_password(tmp_path: Path) -> None:
    """Nodes and Sentinels that ask for no password are whole, and answer; who offers one is refused in words."""

    async def story(session: Redis) -> None:
        await session.register(registration(1))
        assert ids(await session.catalog("webapp", consistent=True)) == ["webapp-1"]
        assert await redis_cluster.weaknesses(session) == []

    with redis_lab(tmp_path, RedisRegistry(ttl=3.0)) as lab:
        lab.ask(story)
        with pytest.raises(Unreachable, match="refuses the password"):
            lab.ask(lambda session: session.catalog("webapp"), password=PASSWORD)


def test_nobody_there() -> None:
    """Where nothing listens, the error says so; there is no empty catalog."""
    told = RedisRegistry(password=PASSWORD)

    async def story() -> None:
        from stackctl.planning.redis import settings

        async with Redis(replace(settings(told), sentinels=(f"127.0.0.1:{free_port()}",))) as session:
            for ask in (session.catalog("web"), session.registrations(), session.register(registration(1))):
                with pytest.raises(Unreachable) as lost:
                    await ask
                assert lost.value.id == "registry-unreachable" and lost.value.where and lost.value.hint

    asyncio.run(story())


def watch_over(lab: RedisLab, act: str) -> list[int]:
    """How many of ten registrations each read showed while the master was killed or paused, until ten seconds after
    another one was chosen."""

    async def story(session: Redis) -> list[int]:
        for number in range(1, 11):
            await session.register(registration(number))
        async with Redis(lab.told) as watcher:
            seen = [len((await watcher.catalog("webapp")).entries)]
            old = await asyncio.to_thread(lab.master)
            getattr(lab.container(old), act)()
            chosen = asyncio.create_task(asyncio.to_thread(eventually, "another master", lambda: other(lab, old), 20))
            until = None
            while until is None or time.monotonic() < until:
                try:
                    seen.append(len((await watcher.catalog("webapp")).entries))
                except Unreachable:
                    pass  # nobody serves less because of that
                if chosen.done() and until is None:
                    await chosen
                    until = time.monotonic() + 2 * lab.registry.ttl
                await asyncio.sleep(0.02)
            seen.append(len((await watcher.catalog("webapp", consistent=True)).entries))
        return seen

    found: list[int] = lab.ask(story)
    return found


def other(lab: RedisLab, old: str) -> bool:
    return lab.master() not in ("", old)


@pytest.mark.parametrize("act", ["kill", "pause"])
def test_failover(own: RedisLab, act: str) -> None:
    """When the master dies or hangs, no read ever shows fewer registrations, they are kept alive at the next master,
    and the old one comes back as its replica."""
    old = own.master()
    assert set(watch_over(own, act)) == {10}
    own.container(old).unpause() if act == "pause" else own.container(old).start()
    eventually("the old master follows the new one", lambda: own.followers() == 1, 20)
    assert own.master() != old


def test_master_comes_back_empty(own: RedisLab) -> None:
    """A master without its data that is back before anybody has missed it shows no fewer registrations either."""

    async def story(session: Redis) -> None:
        for number in range(1, 11):
            await session.register(registration(number))
        async with Redis(own.told) as watcher:
            before = await watcher.catalog("webapp")
            assert len(before.entries) == 10
            master = await session.master()
            await master.ask("FLUSHALL")
            await (await watcher.master()).ask("CLIENT", "KILL", "TYPE", "pubsub")
            until = time.monotonic() + own.registry.ttl
            while time.monotonic() < until:
                await asyncio.sleep(0.02)
                assert len((await watcher.catalog("webapp", consistent=True)).entries) in range(11)
            assert len((await watcher.catalog("webapp", consistent=True)).entries) == 10

    own.ask(story)


def test_no_quorum(own: RedisLab) -> None:
    """With one Sentinel of three, work goes on and a consistent read is refused; with none, everything is."""
    for name in ("sentinel-1", "sentinel-2"):
        own.container(name).kill()
    own.ask(lambda session: session.register(registration(1)))
    assert ids(own.ask(lambda session: session.catalog("webapp"))) == ["webapp-1"]
    with pytest.raises(Unreachable, match="no quorum"):
        own.ask(lambda session: session.catalog("webapp", consistent=True))

    def last_one() -> str:
        seen = own.ask(redis_cluster.cluster)
        assert seen["leader"] == ""
        states = {member["name"]: member["state"] for member in seen["members"]}
        return str(states[own.addresses["sentinel-3"]])

    eventually("the last Sentinel misses the others", lambda: last_one().startswith("NOQUORUM"))
    own.container("sentinel-3").kill()
    with pytest.raises(Unreachable, match="no Sentinel names a master"):
        own.ask(lambda session: session.catalog("webapp"))


def test_whole_cluster_restarted(own: RedisLab) -> None:
    """After a failover and an end of everything, the roles are as the failover left them."""
    old = own.master()
    own.container(old).kill()
    eventually("another master", lambda: other(own, old), 20)
    own.container(old).start()
    eventually("the old master follows", lambda: own.followers() == 1, 20)
    new = own.master()
    for name in own.addresses:
        own.container(name).kill()
    for name in own.addresses:
        own.container(name).start()
    eventually("there is a master", lambda: own.master() == new, 20)
    eventually("it has its replica", lambda: own.followers() == 1, 20)
    assert own.ask(redis_cluster.weaknesses) == []


def test_sentinels_start_first(tmp_path: Path) -> None:
    """A master that comes later than its Sentinels is not taken for dead, and nobody is put in its place."""
    lab = RedisLab(tmp_path, RedisRegistry(password=PASSWORD))
    try:
        nodes, sentinels = [], []
        for workload in lab.workloads():
            (sentinels if workload.role == "sentinel" else nodes).append(workload)
        watching = [lab.run(workload) for workload in sentinels]
        known = time.monotonic() + 2 * DOWN_AFTER / 1000
        eventually("the Sentinels to have had time to miss the master", lambda: time.monotonic() > known)
        for workload in nodes:
            lab.run(workload)
        lab.well()
        assert lab.master() == "redis-1"
        said = "".join(container.logs().decode() for container in watching)
        assert said.count("+monitor master") == 3 and "down master" not in said
    finally:
        lab.close()


def test_a_sentinel_that_waits_can_be_stopped(tmp_path: Path) -> None:
    """Its container ends when it is told to, long before the engine would kill it."""
    lab = RedisLab(tmp_path, RedisRegistry(password=PASSWORD))
    try:
        container = lab.run(lab.workloads()[-1])
        eventually("it waits", lambda: "sleep" in str(container.top()["Processes"]))
        container.stop(timeout=60)
        assert container.wait()["StatusCode"] == 143
    finally:
        lab.close()


def test_heartbeat(redis: RedisLab, tmp_path: Path) -> None:
    """An app is registered when it answers, deregistered before it is told to end, and its exit status is passed on."""
    settings = tmp_path / "registry.json"
    settings.write_text(json.dumps(asdict(redis.told)))
    port = free_port()
    app = f"""
import http.server, signal, sys, time
def end(*_):
    print("told", time.time(), flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
time.sleep(0.3)
http.server.HTTPServer(("0.0.0.0", {port}), http.server.BaseHTTPRequestHandler).serve_forever()
"""
    words = ["--registry", str(settings), "--service", "beating", "--port", str(port), "--", sys.executable, "-c", app]
    heartbeat = subprocess.Popen(
        [sys.executable, "-m", "stackctl.agents.heartbeat", *words], stdout=subprocess.PIPE, text=True
    )
    try:

        def found() -> list[str]:
            return [str(e.endpoint) for e in redis.ask(lambda session: session.catalog("beating")).entries]

        eventually("it is registered", found)
        assert found()[0].endswith(f":{port}")
        heartbeat.send_signal(signal.SIGTERM)
        eventually("it is deregistered", lambda: not found())
        gone = time.time()
        output, _ = heartbeat.communicate(timeout=10)
        assert float(output.split()[1]) > gone - 0.2
        assert heartbeat.returncode == 7
    finally:
        heartbeat.kill()
