"""The balancers of a stack, asked through their doors: what they run, and who does not say."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bench.ports import free_port
from stackctl.agents import door as module
from stackctl.agents.balancers import Balancers
from stackctl.agents.door import door
from stackctl.domain.balancer import Backend
from stackctl.domain.instance import Endpoint
from stackctl.domain.observation import BalancerSeen
from stackctl.probing.wire import balancer_to_json

SEEN = BalancerSeen("", revision="r1", backends={"web": (Backend("web-1", Endpoint("10.0.0.1", 80)),)})
REFUSED = {"error": "nginx is not there", "id": "", "hint": ""}


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A token's file."""
    path = tmp_path / "token"
    path.write_bytes(b"open sesame")
    return path


def probe(monkeypatch: pytest.MonkeyPatch, *answers: object) -> None:
    """In the place of the probe one that gives these answers, and then no more."""
    said = "".join(f"input(); print({json.dumps(answer)!r}, flush=True)\n" for answer in answers)
    monkeypatch.setattr(module, "PROBE", (sys.executable, "-c", said))


def looked(token: Path, port: int, times: int) -> list[tuple[BalancerSeen, ...]]:
    """What so many looks find."""

    async def run() -> list[tuple[BalancerSeen, ...]]:
        async with door(token, port=port):
            balancers = Balancers("127.0.0.1", token, port=port)
            found = [await balancers.look() for _ in range(times)]
            balancers.leave()
            return found

    return asyncio.run(run())


def test_one_probe_answers_look_after_look(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers are what the balancer runs; one that can't say is told, and asked again."""
    probe(monkeypatch, {"answer": balancer_to_json(SEEN)}, REFUSED, {"answer": balancer_to_json(SEEN)})
    first, second, third = looked(token, free_port(), 3)
    assert first == third and first[0].backends == SEEN.backends and not first[0].unreachable
    assert second[0].unreachable == "nginx is not there"


def test_a_probe_that_ended_is_started_anew(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost conversation is a balancer that did not say, once."""
    probe(monkeypatch, {"answer": balancer_to_json(SEEN)})
    first, second, third = looked(token, free_port(), 3)
    assert second[0].unreachable and not first[0].unreachable and not third[0].unreachable


def test_nobody_there(token: Path) -> None:
    """A name that nobody has, and none at all, are no balancers; an address where nobody listens is a silent one."""

    async def run() -> list[tuple[BalancerSeen, ...]]:
        nobody = Balancers("127.0.0.1", token, port=free_port())
        return [await Balancers().look(), await Balancers("nobody.invalid", token).look(), await nobody.look()]

    none, unknown, silent = asyncio.run(run())
    assert (none, unknown) == ((), ()) and "ConnectionRefused" in silent[0].unreachable
