"""The engine's kill events, read while they happen: it remembers only its last 256 events of any kind."""

from __future__ import annotations

from bench.lines import Lines
from bench.running import DOCKER, PREFIX

FORM = "{{.TimeNano}} {{.Actor.Attributes.name}}"


class Kills(Lines):
    """When the engine told that a container of this run was killed, in seconds since the epoch, by its name."""

    def __init__(self) -> None:
        super().__init__(DOCKER, "events", "--filter", "event=kill", "--format", FORM)
        self.at: dict[str, float] = {}

    def read(self, line: str) -> None:
        at, _, name = line.partition(" ")
        if name.startswith(PREFIX):
            self.at[name] = int(at) / 1e9
