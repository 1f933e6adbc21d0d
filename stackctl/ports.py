"""What stackctl needs from the outside, as small as each consumer needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from stackctl.domain.catalog import Catalog, Names, Registration, Values
from stackctl.domain.instance import EngineState, Instance, Run
from stackctl.domain.plan import Operation
from stackctl.domain.swarm import SwarmNode, SwarmService, Trouble


class Registry(Protocol):
    """A registry of instances. Every method raises `Unreachable` when there is no trustworthy answer (no connection, no
    leader, an error status), never an empty result in its place."""

    async def catalog(self, service: str, *, index: int = 0, wait: float = 0.0, consistent: bool = False) -> Catalog:
        """What is registered under a service's name.

        With `index` from an earlier answer it returns when something changed, or after `wait` seconds (a long poll);
        `consistent` asks the leader, so that the answer can't be stale.
        """
        ...

    async def names(self, *, index: int = 0, wait: float = 0.0) -> Names:
        """The names of all services; a long poll as in `catalog`."""
        ...

    async def values(self, prefix: str, *, index: int = 0, wait: float = 0.0) -> Values:
        """Keys of the registry that begin with a prefix (Consul's KV, Redis' strings); a long poll as in `catalog`."""
        ...

    async def registrations(self) -> tuple[Registration, ...]:
        """What the local agent holds, whoever wrote it; `owner` is empty where stackctl did not."""
        ...

    async def register(self, registration: Registration) -> None:
        """Write a registration that counts as passing at once; writing it again changes nothing."""
        ...

    async def deregister(self, id: str) -> None:
        """Remove a registration; one that is not there is no error."""
        ...

    async def maintain(self, id: str, reason: str | None) -> None:
        """Put a registration into maintenance with a reason, or take it out with None."""
        ...


class Probe(Protocol):
    """A conversation with the probe in one instance's container; one question at a time."""

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        ...

    async def ask(self, question: str, *, timeout: float = 15.0, **words: Any) -> Any:
        """One question; raises `StackctlError` where no answer comes in `timeout` s, `NotConverged` where a fixed list
        would have to change."""
        ...


class Engine(Protocol):
    """What runs a stack, on one machine or on several. Makes no decision: it does what it is told, says what failed,
    and raises `Unreachable` where nothing answers."""

    def observe(self) -> EngineState:
        """What there is of the stack now. Of several machines those that do not answer are told, and are no error."""
        ...

    def check(self) -> None:
        """Whether the stack's rendered files are accepted; raises `SpecError` and changes nothing."""
        ...

    def has_images(self, tags: Iterable[str]) -> set[str]:
        """Those of the tags that are wherever instances may run."""
        ...

    def send_images(self, tags: Iterable[str], progress: Progress) -> None:
        """Bring images from this machine's engine to wherever they are lacking and could be needed."""
        ...

    def build(self, service: str) -> None:
        """Build the image of a service that has a folder."""
        ...

    def down(self, *, volumes: bool) -> None:
        """Remove everything of the stack, volumes only where asked; works without its files too."""
        ...

    def logs(self, services: Iterable[str], *, tail: str, follow: bool) -> Iterator[str]:
        """The instances' output, line by line; of all services where none is named."""
        ...

    def holder(self, port: int) -> str:
        """Who else has a port that is to be published, in words; empty where it can be had."""
        ...

    def inside(self, instance: Instance) -> AbstractAsyncContextManager[Probe]:
        """A conversation with the probe in an instance's container, wherever it runs."""
        ...

    def address(self, instance: Instance) -> str:
        """Where the instance's published ports are reached from here."""
        ...

    def last_words(self, instance: Instance, lines: int) -> str:
        """The end of what an instance printed."""
        ...


class Containers(Engine, Protocol):
    """An engine that is told of each container."""

    def launch(self, operations: Iterable[Operation], seen: EngineState) -> None:
        """Create and start what these operations say; whatever else runs stays as it is. `seen` is what was there."""
        ...

    def recreate(self, operation: Operation, grace: float) -> None:
        """Make an instance anew from its changed definition, in place, under its name and on the same volumes; it may
        take `grace` seconds to end."""
        ...

    def unpause(self, instance: Instance) -> None:
        """Let a paused instance go on."""
        ...

    def remove(self, instance: Instance, grace: float) -> None:
        """Stop one instance (SIGTERM, `grace` seconds) and remove it; one that is gone is no error."""
        ...

    def run_of(self, instance: Instance) -> Run:
        """How an instance's runs ended so far; that of one that is gone never did."""
        ...


class Services(Engine, Protocol):
    """A Swarm: told what is to be, it makes and replaces tasks by itself."""

    def services(self) -> tuple[SwarmService, ...]:
        """The stack's services."""
        ...

    def nodes(self) -> tuple[SwarmNode, ...]:
        """The members of the Swarm."""
        ...

    def label(self, node: str, label: str) -> None:
        """Give a node, by its host name, a label that it keeps."""
        ...

    def deploy(self, file: Path, *, prune: bool) -> None:
        """Let the services be what a stack file says; with `prune` those that it does not name go."""
        ...

    def scale(self, replicas: Mapping[str, int]) -> None:
        """Change how many tasks workloads have, and nothing else."""
        ...

    def replace(self, workload: str) -> None:
        """Replace every task of a workload, although its definition is the same."""
        ...

    def write_again(self, workload: str) -> None:
        """Write a workload's service as it is, so that the Swarm looks at its tasks; none that it wants is replaced."""
        ...

    def rollback(self, workload: str) -> None:
        """Back to what a workload was before its last update."""
        ...

    def troubles(self, workload: str) -> tuple[Trouble, ...]:
        """The tasks of a workload that ended badly or can't begin, the oldest first."""
        ...


class Progress(Protocol):
    """Where a use case says what it is doing; never data."""

    def step(self, subject: str, message: str) -> None:
        """One line about one subject (an image, an instance); on a terminal the same subject again replaces it."""
        ...

    def warn(self, message: str) -> None:
        """Something that a person should know and nobody has to act on now."""
        ...
