"""What is measured: something that balances over the instances of a service `web`, ours or a peer's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from bench.asking import Watch
from bench.running import Engine


@dataclass(frozen=True, slots=True)
class Part:
    """A process whose memory is told: its Compose service, and words of its command line."""

    name: str
    service: str
    words: str


class System(ABC):
    """A running system; made and removed by the function that yields it."""

    name: str  # as the tables call it
    leaves: str  # what `running config` means for it
    parts: tuple[Part, ...] = ()
    aftermath = 2.0  # seconds of load after scaling down, in which its consequences show

    def __init__(self, engine: Engine, project: str, entry: int) -> None:
        self.engine = engine
        self.project = project
        self.entry = entry

    @abstractmethod
    def watch(self) -> AbstractAsyncContextManager[Watch]:
        """Watch its running config; what it says names or changes with its backends."""

    @abstractmethod
    def gone(self, seen: str, before: str, address: str) -> bool:
        """Whether what the watch saw is a running config without that address; `before` was with it."""

    @abstractmethod
    async def scale(self, replicas: int) -> None:
        """Change the number of instances of `web` the way its users do, and return when that is done."""

    @abstractmethod
    async def replace(self) -> None:
        """Replace every instance of `web` by a new one the way its users do."""
