"""A machine with a Docker engine of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """A machine by its name in the spec, and the way to its engine: a Docker context, or a URL (`ssh://`, `tcp://`).

    With neither it is the engine that the environment chooses. `address` is where other machines reach this one; where
    it is empty, the host of the engine's URL is.
    """

    name: str = ""
    context: str = ""
    url: str = ""
    address: str = ""


HERE = Host()  # the engine that the environment chooses
