"""Files beside nginx's: what is known before they are rendered, and what becomes of checks and reloads."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackctl.agents import files, known
from stackctl.agents.files import Files
from stackctl.agents.known import Known, named, passed, told, valued
from stackctl.agents.loop import Log
from stackctl.domain.catalog import Catalog, Names, Registration, Values
from stackctl.domain.files import FileTemplate
from stackctl.registry.memory import Memory
from tests.building import endpoint, entry

HOSTS = "{% for name, members in services.items() %}{{ members[0].id }} {{ name }}\n{% endfor %}"
GOOD = "web-1 web\n"


class Slow(Memory):
    """Answers for one service after all other answers."""

    async def catalog(self, service: str, **asked: Any) -> Catalog:
        """After a while."""
        await asyncio.sleep(0.1)
        return await super().catalog(service, **asked)


def registration(service: str) -> Registration:
    """The first instance of a service."""
    return Registration(f"{service}-1", service, endpoint(1), f"{service}-1", "")


@contextlib.asynccontextmanager
async def keeping(registry: Memory, *templates: FileTemplate, name: str = "lb-1") -> AsyncIterator[Files]:
    """An agent that keeps files for as long as the block runs."""
    kept = Files(templates, registry, Log("balancer", io.StringIO()))
    task = asyncio.create_task(kept.run(), name=name)
    try:
        yield kept
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def eventually(condition: Callable[[], bool]) -> None:
    """Within 5 s."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def agent_name() -> str:
    """What the agent that asks is called."""
    task = asyncio.current_task()
    assert task
    return task.get_name()


def running(pid: Path) -> bool:
    """Whether the process whose id lies in a file still runs; one that nobody waited for yet does not."""
    try:
        return Path(f"/proc/{pid.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- what is known --------------------------------------------------------------------------------------------


def full() -> Known:
    """web is named, read and served."""
    return told(named(Known(), Names(("web",))), Catalog("web", (entry(1),)), 0.0)


def test_complete_when_all_was_read() -> None:
    """A name without its catalog or a prefix without its keys is not known; what is no label is not asked."""
    state = Known(frozenset({"app/"}))
    assert not state.complete(0)
    state = named(state, Names(("web", "No label")))
    assert state.watched == {"web"} and not state.complete(0)
    state = told(state, Catalog("web"), 0.0)
    assert not state.complete(0)
    assert valued(state, "app/", Values()).complete(0)


def test_forgotten_service_is_doubted() -> None:
    """Forgotten altogether, a service keeps its instances for the first doubt's time, and is then dropped."""
    state = told(full(), Catalog("web"), 100.0)
    state = told(named(state, Names()), Catalog("web"), 105.0)
    state = passed(state, 109.9)
    assert [e.id for e in state.services["web"]] == ["shop-web-1"] and state.watched == {"web"}
    assert state.due(109.9) == 110.0
    state = passed(state, 110.0)
    assert not state.services and not state.watched and state.due(110.0) is None


def test_doubt_ends_with_an_instance() -> None:
    """What is registered again counts at once, and a later doubt starts anew."""
    state = told(told(full(), Catalog("web"), 100.0), Catalog("web", (entry(2),)), 101.0)
    assert [e.id for e in state.services["web"]] == ["shop-web-2"] and not state.doubted
    assert told(state, Catalog("web"), 105.0).due(105.0) == 115.0


def test_unhealthy_is_believed() -> None:
    """A registry that knows the instances and calls none healthy has forgotten nothing."""
    state = told(full(), Catalog("web", (entry(1, passing=False),)), 1.0)
    assert state.services == {"web": ()} and not state.doubted


def test_unasked_is_not_unhealthy() -> None:
    """What the registry's agent has not asked since its start stays, and what was not there before waits."""
    unasked = Catalog("web", tuple(replace(entry(n), passing=False, unasked=True) for n in (1, 2)))
    state = told(full(), unasked, 1.0)
    assert [e.id for e in state.services["web"]] == ["shop-web-1"]
    assert told(state, Catalog("web", (entry(1, passing=False),)), 2.0).services == {"web": ()}


def test_nobody_named_is_doubted_beside_a_file() -> None:
    """Where an earlier agent left a file, a registry that names nobody is waited for; one that names some is not."""
    state = named(Known(adopted=10.0), Names())
    assert not state.complete(9.9) and state.complete(10.0) and state.due(0.0) == 10.0
    assert told(named(state, Names(("web",))), Catalog("web"), 1.0).complete(1.0)


# --- what is written ------------------------------------------------------------------------------------------


def test_start_writes_nothing_before_all_was_read(tmp_path: Path) -> None:
    """An agent that starts beside a good file leaves it, whatever answers first, and reloads nothing."""
    dest, seen = tmp_path / "hosts", tmp_path / "seen"
    dest.write_text(GOOD)

    async def story() -> None:
        registry = Slow()
        await registry.register(registration("web"))
        before = dest.stat().st_ino
        async with keeping(registry, FileTemplate(HOSTS, str(dest), reload=f"echo reloaded >> {seen}")):
            await asyncio.sleep(0.3)
            assert dest.stat().st_ino == before and dest.read_text() == GOOD and not seen.exists()
            await registry.register(registration("api"))
            await eventually(lambda: dest.read_text() == "api-1 api\n" + GOOD)
            await eventually(seen.exists)
        assert seen.read_text() == "reloaded\n"

    asyncio.run(story())


@pytest.mark.parametrize("restarted", [False, True])
def test_registry_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarted: bool) -> None:
    """A registry that has forgotten everything empties a file after the doubt, not before; also one just started on."""
    monkeypatch.setattr(known, "DOUBT", 0.4)
    monkeypatch.setattr(files, "DOUBT", 0.4, raising=False)
    dest = tmp_path / "hosts"
    template = FileTemplate(HOSTS, str(dest))

    async def story() -> None:
        registry = Memory()
        await registry.register(registration("web"))
        async with contextlib.AsyncExitStack() as agent:
            await agent.enter_async_context(keeping(registry, template))
            await eventually(dest.exists)
            if restarted:
                await agent.aclose()
            await registry.deregister("web-1")
            if restarted:
                await agent.enter_async_context(keeping(registry, template))
            await asyncio.sleep(0.2)
            assert dest.read_text() == GOOD
            await eventually(lambda: dest.read_text() == "")
            await registry.register(registration("web"))
            await eventually(lambda: dest.read_text() == GOOD)

    asyncio.run(story())


def test_failed_reload_is_owed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """News that changes nothing does not make it well; the next try does, also a later agent's, and only one."""
    monkeypatch.setattr(files, "RETRY", 0.05, raising=False)
    dest, allowed, seen = (tmp_path / name for name in ("hosts", "allowed", "seen"))
    template = FileTemplate(HOSTS, str(dest), reload=f"test -e {allowed} && echo reloaded >> {seen}", keys=("app/",))

    async def story() -> None:
        registry = Memory()
        await registry.register(registration("web"))
        async with keeping(registry, template) as first:
            await eventually(lambda: bool(first.problems))
            await registry.put("app/motd", "news that the file does not show")
            await asyncio.sleep(0.2)
            assert "ended with 1" in first.problems[str(dest)] and dest.read_text() == GOOD
        async with keeping(registry, template) as second:
            await eventually(lambda: bool(second.problems))
            allowed.touch()
            await eventually(lambda: not second.problems)
            await registry.put("app/motd", "more news")
            await asyncio.sleep(0.2)
        assert seen.read_text() == "reloaded\n"

    asyncio.run(story())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["allowed", "hosts", "seen"]


@pytest.mark.parametrize("cancelled", [False, True])
def test_command_ends_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancelled: bool) -> None:
    """A check that hangs, or whose agent is told to stop, leaves no process behind."""
    monkeypatch.setattr(files, "COMMAND", 60.0 if cancelled else 0.3)
    pid = tmp_path / "pid"
    check = f"sleep 60 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"
    template = FileTemplate(HOSTS, str(tmp_path / "hosts"), check=check)

    async def story() -> None:
        registry = Memory()
        async with keeping(registry, template) as kept:
            await eventually(pid.exists)
            assert running(pid)
            if not cancelled:
                await eventually(lambda: bool(kept.problems))
                assert "did not end" in kept.problems[str(tmp_path / "hosts")]
                await eventually(lambda: not running(pid))
        await eventually(lambda: not running(pid))

    asyncio.run(story())


def test_reload_may_leave_something_running(tmp_path: Path) -> None:
    """A daemon that a reload starts is no reason to wait, though it keeps the reload's output open."""
    pid, dest = tmp_path / "pid", tmp_path / "hosts"

    async def story() -> None:
        registry = Memory()
        template = FileTemplate(HOSTS, str(dest), reload=f"sleep 60 & echo $! > {pid}")
        async with keeping(registry, template) as kept:
            await eventually(lambda: pid.exists() and not any(tmp_path.glob(".hosts*")))
            assert running(pid) and not kept.problems

    try:
        asyncio.run(story())
    finally:
        os.kill(int(pid.read_text()), 9)


def test_template_that_stumbles_over_a_value(tmp_path: Path) -> None:
    """A filter that is given what it cannot take is a problem of its file alone."""
    bad, good = tmp_path / "bad", tmp_path / "good"

    async def story() -> None:
        registry = Memory()
        templates = FileTemplate("{{ [1] | dictsort }}", str(bad)), FileTemplate("fine", str(good))
        async with keeping(registry, *templates) as kept:
            await eventually(good.exists)
            assert "no attribute 'items'" in kept.problems[str(bad)] and not bad.exists()

    asyncio.run(story())


def test_balancers_that_share_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checks a file of its own, and writing the same file at the same time is no problem for either."""
    monkeypatch.setattr("socket.gethostname", agent_name)
    dest, checked = tmp_path / "hosts", tmp_path / "checked"
    template = FileTemplate(HOSTS, str(dest), check=f"echo {{file}} >> {checked}; sleep 0.2; test -e {{file}}")

    async def story() -> None:
        registry = Memory()
        await registry.register(registration("web"))
        async with keeping(registry, template, name="lb-1") as one, keeping(registry, template, name="lb-2") as two:
            await eventually(dest.exists)
            await asyncio.sleep(0.3)
            assert not one.problems and not two.problems
        assert dest.read_text() == GOOD
        assert {Path(line).name for line in checked.read_text().splitlines()} == {".hosts.lb-1.new", ".hosts.lb-2.new"}

    asyncio.run(story())
