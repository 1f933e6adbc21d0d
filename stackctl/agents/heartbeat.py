"""The heartbeat: `heartbeat --service webapp --port 80 -- CMD…` runs an app and registers it for as long as it answers.

<SERVICE>_PORT  the port on which the app answers (default 80), where --port does not say; for webapp: WEBAPP_PORT
EXPIRE_TIME     seconds that a registration lives without a sign of life (default: the registry's); three come in it
DRAIN_TIME      seconds between the deregistration and the signal to the app (default 1): balancers drop it first
HEARTBEAT_SERVICE, HEARTBEAT_PORT, HEARTBEAT_WEIGHT   what a stack says of the service where nothing above does

The app is told its port as PORT. The heartbeat is meant to be process 1 of a container: it passes signals on, and ends
with the app's own exit status. What it does is logged on stderr; stdout is the app's. The registry is told by
/etc/stackctl/registry.json.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from stackctl.agents import settings
from stackctl.agents.beating import Beating
from stackctl.agents.children import Child
from stackctl.agents.loop import Log
from stackctl.agents.registries import open_registry
from stackctl.domain.instance import DNS_LABEL
from stackctl.domain.registry import RegistrySettings
from stackctl.errors import StackctlError, UsageError

TTL = 12.0
SHORTEST = 1.0
ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
PASSED_ON = frozenset({signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the heartbeat is told by its words and its environment; times in seconds."""

    service: str
    port: int
    ttl: float
    drain: float
    weight: int
    command: tuple[str, ...]
    registry: Path

    @classmethod
    def of(cls, words: Sequence[str], environment: Mapping[str, str]) -> Self:
        """The settings; raises `UsageError` where one makes no sense. A `ttl` of 0 is the registry's own."""
        told = _parser().parse_args(words)
        service = told.service or environment.get("HEARTBEAT_SERVICE", "")
        if not DNS_LABEL.match(service):
            raise _wrong("--service", f"{service!r} is no DNS label")
        own = f"{service.upper().replace('-', '_')}_PORT"
        name, port = "--port", told.port
        if port is None:
            name = next((name for name in (own, "HEARTBEAT_PORT") if name in environment), own)
            port = environment.get(name, "80")
        command = tuple(told.command[1:] if told.command[:1] == ["--"] else told.command)
        if not command:
            raise _wrong("the command", "is missing", "say it at the end: -- CMD…")
        return cls(
            service=service,
            port=_whole(name, port, 65535),
            ttl=_seconds("EXPIRE_TIME", environment["EXPIRE_TIME"], SHORTEST) if "EXPIRE_TIME" in environment else 0.0,
            drain=_seconds("DRAIN_TIME", environment.get("DRAIN_TIME", "1"), 0.0),
            weight=_whole("HEARTBEAT_WEIGHT", environment.get("HEARTBEAT_WEIGHT", "1"), 256),
            command=command,
            registry=Path(told.registry),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("heartbeat", description="Run an app, registered for as long as it answers.")
    parser.add_argument("--service", help="the name to register under (default: $HEARTBEAT_SERVICE)")
    parser.add_argument("--port", help="where the app answers (default: $<SERVICE>_PORT, else 80)")
    parser.add_argument("--registry", default=str(settings.REGISTRY), help="the file that tells of the registry")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the app")
    return parser


def _whole(name: str, text: str, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= most:
        raise _wrong(name, f"must be a whole number from 1 to {most}, not {text!r}")
    return int(text)


def _seconds(name: str, text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= 86400:
        raise _wrong(name, f"must be a number of seconds from {least:g} to 86400, not {text!r}")
    return value


def _wrong(name: str, why: str, hint: str = "") -> UsageError:
    return UsageError("heartbeat-settings", f"{name} {why}", hint=hint)


class Heartbeat:
    """One app, its registration, and the signals for both."""

    def __init__(self, told: Settings, registry: RegistrySettings, log: Log) -> None:
        self._told = told
        self._registry = replace(registry, ttl=told.ttl or registry.ttl or TTL)
        self._log = log
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()

    async def run(self) -> int:
        """Run the app to its end: its exit status."""
        loop = asyncio.get_running_loop()
        for number in ENDING | PASSED_ON:
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        child = Child(self._told.command, {"PORT": str(self._told.port), **os.environ})
        async with open_registry(self._registry) as registry:
            told = self._told
            beating = Beating(
                self._registry, registry, self._log, service=told.service, port=told.port, weight=told.weight
            )
            tasks = [asyncio.create_task(beating.run()), asyncio.create_task(self._pass_on(child, beating))]
            status = await self._ended(child, tasks)
            for task in tasks:
                task.cancel()
            self._log("the app has ended", status=status)
            await beating.leave()
        return status

    async def _ended(self, child: Child, tasks: Sequence[asyncio.Task[None]]) -> int:
        """The app's exit status, after its end; where one of the `tasks` fails, it is told to end."""
        ended = asyncio.create_task(child.ended())
        waiting: set[asyncio.Task[Any]] = {*tasks, ended}
        while not ended.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            # A task that merely is done has not failed: nobody beats for an app that drains.
            if failures := [error for task in done - {ended} if (error := task.exception())]:
                self._log("failed", level="error", reason=repr(failures))
                child.signal(signal.SIGTERM)
        return ended.result()

    async def _pass_on(self, child: Child, beating: Beating) -> None:
        """Signals go to the app; the first that ends it, when nobody sends it requests any more."""
        leaving = False
        while True:
            number = await self._signals.get()
            if number in ENDING and not leaving:
                leaving = True
                left = asyncio.create_task(self._leave(beating))
                hurry = asyncio.create_task(self._signals.get())  # a second signal is from somebody who does not wait
                await asyncio.wait({left, hurry}, return_when=asyncio.FIRST_COMPLETED)
                left.cancel()
                hurry.cancel()
            child.signal(number)

    async def _leave(self, beating: Beating) -> None:
        if await beating.leave():
            await asyncio.sleep(self._told.drain)


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the heartbeat: the app's exit status; 2 where it was told nonsense, 126 or 127 where the app can't start."""
    try:
        told = Settings.of(words, environment)
        registry = _registry(told.registry)
    except StackctlError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        return asyncio.run(Heartbeat(told, registry, Log("heartbeat", sys.stderr)).run())
    except OSError as error:
        print(f"error[heartbeat-command]: {told.command[0]} can't be started: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126


def _registry(path: Path) -> RegistrySettings:
    try:
        found = settings.registry(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "in a stack, a service with `register: self` has it; else say --registry FILE"
        raise UsageError(
            "heartbeat-registry", f"there is no registry to tell: {error}", where=str(path), hint=hint
        ) from error
    if found.kind == "static":
        raise UsageError("heartbeat-registry", "the registry is a fixed list, which nobody can join", where=str(path))
    return found


if __name__ == "__main__":
    code = main(sys.argv[1:], os.environ)
    sys.stderr.flush()
    # Not an ordinary exit: that would wait for a name lookup that hangs in a thread.
    os._exit(code)
