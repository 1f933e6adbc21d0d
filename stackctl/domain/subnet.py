"""A stack's network whose subnet stackctl chooses: fixed addresses in its lower half, the engine's own in the upper."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network


@dataclass(frozen=True, slots=True)
class Subnet:
    """A network, as in 198.18.7.0/24."""

    text: str

    @property
    def gateway(self) -> str:
        """The engine's own address."""
        return str(IPv4Network(self.text)[1])

    @property
    def resolver(self) -> str:
        """Where containers ask for names."""
        return str(IPv4Network(self.text)[2])

    @property
    def assigned(self) -> str:
        """The part from which the engine gives addresses."""
        return str(list(IPv4Network(self.text).subnets(prefixlen_diff=1))[1])
