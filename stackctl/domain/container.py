"""A container: the facts of one, as the engine told them when it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackctl.domain.instance import Health, State

# SIGINT, SIGQUIT, SIGKILL and SIGTERM: the signals that ask an ordinary process to end.
ENDING_SIGNALS = frozenset({2, 3, 9, 15})


@dataclass(frozen=True, slots=True)
class Container:
    """One container; times in seconds (`created`, `started`: since the epoch, on the engine's clock).

    `env` holds the SERVICE_* variables only. `networks` maps a network's name to the container's address on
    it, `gateways` to the host's there. `ports` are tcp and `udp_ports` udp; `published` and `udp_published` map one to
    the host's, where other machines reach it. `stop_signal` is the signal's number.
    """

    id: str
    name: str
    image: str
    state: State
    health: Health = "none"
    created: float = 0.0
    started: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    gateways: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    published: Mapping[int, int] = field(default_factory=dict)
    udp_ports: tuple[int, ...] = ()
    udp_published: Mapping[int, int] = field(default_factory=dict)
    stop_signal: int = 15
    stop_timeout: float = 10.0

    @property
    def serving(self) -> bool:
        """Running and, where the image has a health check, healthy."""
        return self.state == "running" and self.health in ("none", "healthy")

    def ends_by(self, signal: int) -> bool:
        """Whether this signal asks the container to end."""
        return signal in ENDING_SIGNALS or signal == self.stop_signal
