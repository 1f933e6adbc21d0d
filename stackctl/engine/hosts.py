"""The engine `hosts`: one Compose project on each of several machines, acted on as one.

A machine that does not answer is part of what is observed. Whoever would change something there is told `Unreachable`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import docker

from stackctl.domain.host import Host
from stackctl.domain.instance import EngineState, Instance, Run
from stackctl.domain.plan import Operation
from stackctl.engine.client import connect
from stackctl.engine.compose import ComposeEngine
from stackctl.engine.inside import Inside
from stackctl.engine.observe import observe
from stackctl.engine.sending import Receiver, images, send
from stackctl.errors import Unreachable
from stackctl.ports import Progress

T = TypeVar("T")
PATIENCE = 5  # seconds for a machine's first answer: one that died is silent
LOOK = (2.0, 10.0)  # seconds for a connection, and for the answer, when it is only looked at
AGAIN = 2.0  # seconds in which a silent machine is not asked again


@dataclass(frozen=True, slots=True)
class Machine:
    """One host's part of a stack: its project, the project's network, its rendered file, the services that may run
    there."""

    host: Host
    project: str
    network: str
    file: Path
    services: tuple[str, ...] = ()


class HostsEngine:
    """One stack's projects on its hosts, as `ports.Engine`."""

    def __init__(self, stack: str, machines: Sequence[Machine]) -> None:
        self.stack = stack
        self.machines = {machine.host.name: machine for machine in machines}
        self._open: dict[str, ComposeEngine] = {}
        self._looks: dict[str, docker.DockerClient] = {}
        self._silent: dict[str, tuple[float, Unreachable]] = {}

    def observe(self) -> EngineState:
        """Every machine at the same time; those that do not answer by name, with the reason."""
        found, lost = self._each(self._look)
        return EngineState(
            tuple(instance for name in found for instance in found[name].instances),
            tuple(network for name in found for network in found[name].networks),
            tuple(volume for name in found for volume in found[name].volumes),
            nodes=tuple(self.machines),
            unreachable={name: error.message.removeprefix(f"{name} does not answer: ") for name, error in lost.items()},
        )

    def check(self) -> None:
        """Each machine's file, one after the other, so that the first refusal is told."""
        for name in self.machines:
            self._at(name).check()

    def has_images(self, tags: Iterable[str]) -> set[str]:
        """Those that every machine has."""
        wanted = set(tags)
        return wanted.intersection(*self._all(lambda name: self._at(name).has_images(wanted)).values())

    def send_images(self, tags: Iterable[str], progress: Progress) -> None:
        """To each machine what it lacks and this machine's engine has; the rest Compose pulls there."""
        lacking = set(tags)
        lacking -= self.has_images(lacking)
        if lacking:
            send(
                images(connect(), lacking),
                [Receiver(name, self._at(name).client) for name in self.machines],
                progress.step,
            )

    def build(self, service: str) -> None:
        """On this machine's engine, from where it is sent."""
        machine = next(m for m in self.machines.values() if service in m.services)
        ComposeEngine(self.stack, machine.network, machine.file, project=machine.project).build(service)

    def launch(self, operations: Iterable[Operation], seen: EngineState) -> None:
        """Each machine's own, on all of them at the same time."""
        todo: dict[str, list[Operation]] = {}
        for operation in operations:
            todo.setdefault(operation.node, []).append(operation)
        here = {name: tuple(i for i in seen.instances if i.node == name) for name in todo}
        with ThreadPoolExecutor(max(len(todo), 1)) as pool:
            list(pool.map(lambda name: self._at(name).launch(todo[name], EngineState(here[name])), todo))

    def recreate(self, operation: Operation, grace: float) -> None:
        """On its machine."""
        self._at(operation.node).recreate(operation, grace)

    def unpause(self, instance: Instance) -> None:
        """On its machine."""
        self._at(instance.node).unpause(instance)

    def remove(self, instance: Instance, grace: float) -> None:
        """On its machine."""
        self._at(instance.node).remove(instance, grace)

    def run_of(self, instance: Instance) -> Run:
        """As its machine tells."""
        return self._at(instance.node).run_of(instance)

    def last_words(self, instance: Instance, lines: int) -> str:
        """As its machine tells."""
        return self._at(instance.node).last_words(instance, lines)

    def down(self, *, volumes: bool) -> None:
        """On every machine that answers; raises `Unreachable` naming those that do not, when the others are done."""
        _, lost = self._each(lambda name: self._at(name).down(volumes=volumes))
        if lost:
            names = ", ".join(sorted(lost))
            reasons = "; ".join(error.message for error in lost.values())
            message = f"{reasons}: what is there of {self.stack} stays; the other machines are done"
            raise Unreachable("host-unreachable", message, where=names, hint="`stackctl down` again when it is back")

    def logs(self, services: Iterable[str], *, tail: str, follow: bool) -> Iterator[str]:
        """Line by line as they come, each with its machine's name in front."""
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        wanted = tuple(services)

        def read(name: str) -> None:
            for line in self._at(name).logs(wanted, tail=tail, follow=follow):
                lines.put(f"{name}-{line}")
            lines.put(None)

        silent = self.observe().unreachable
        names = [name for name in self.machines if name not in silent]
        for name in names:
            threading.Thread(target=read, args=(name,), daemon=True).start()
        left = len(names)
        while left:
            line = lines.get()
            left -= line is None
            if line is not None:
                yield line

    def holder(self, port: int) -> str:
        """On any of the machines, because a balancer may come to run on each."""
        holders = self._all(lambda name: self._at(name).holder(port))
        return next((f"{holder} on {name}" for name, holder in holders.items() if holder), "")

    def inside(self, instance: Instance) -> Inside:
        """Through its machine's engine."""
        return Inside(instance.container, self.machines[instance.node].host)

    def address(self, instance: Instance) -> str:
        """Its machine's address."""
        return self.machines[instance.node].host.address

    def _at(self, name: str) -> ComposeEngine:
        """A machine's engine, connected to once; raises `Unreachable`."""
        if name not in self._open:
            machine = self.machines[name]
            client = connect(machine.host, PATIENCE)
            self._open[name] = ComposeEngine(
                self.stack, machine.network, machine.file, host=machine.host, project=machine.project, client=client
            )
        return self._open[name]

    def _look(self, name: str) -> EngineState:
        """What one machine has, or `Unreachable` soon: a stack is looked at again and again."""
        until, known = self._silent.get(name, (0.0, None))
        if known and time.monotonic() < until:
            raise known
        machine = self.machines[name]
        try:
            if name not in self._looks:
                self._looks[name] = connect(machine.host, PATIENCE)
                self._looks[name].api.timeout = LOOK  # type: ignore[assignment]  # what it gives to requests, which takes both
            return observe(self._looks[name], self.stack, machine.network, machine.host)
        except Unreachable as error:
            self._silent[name] = (time.monotonic() + AGAIN, error)
            raise

    def _each(self, call: Callable[[str], T]) -> tuple[Mapping[str, T], Mapping[str, Unreachable]]:
        """What every machine answers at the same time, and which do not answer."""

        def one(name: str) -> T | Unreachable:
            try:
                return call(name)
            except Unreachable as error:
                return error

        with ThreadPoolExecutor(len(self.machines)) as pool:
            answers = dict(zip(self.machines, pool.map(one, self.machines), strict=True))
        lost = {name: answer for name, answer in answers.items() if isinstance(answer, Unreachable)}
        return {name: answer for name, answer in answers.items() if not isinstance(answer, Unreachable)}, lost

    def _all(self, call: Callable[[str], T]) -> Mapping[str, T]:
        """What every machine answers; raises `Unreachable` for the first that does not."""
        found, lost = self._each(call)
        for error in lost.values():
            raise error
        return found
