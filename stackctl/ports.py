"""What stackctl needs from the outside, as small as each consumer needs it."""

from __future__ import annotations

from typing import Protocol

from stackctl.domain.catalog import Catalog, Names, Registration, Values


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


class Progress(Protocol):
    """Where a use case says what it is doing; never data."""

    def step(self, subject: str, message: str) -> None:
        """One line about one subject (an image, an instance); on a terminal the same subject again replaces it."""
        ...

    def warn(self, message: str) -> None:
        """Something that a person should know and nobody has to act on now."""
        ...
