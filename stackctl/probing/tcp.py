"""Connections through a balancer to a service that does not speak HTTP, held open until it shows where they go.

Nothing in such a connection tells which instance is at its end, and nothing may be said in it. But the balancer's own
connections can be counted: while ours are held open, each has one to an instance.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from stackctl.domain.observation import Traffic

LIMIT = 20  # connections for each instance that is expected
PACE = 0.01


@dataclass(frozen=True, slots=True)
class TcpWay:
    """Where to connect; `name` is the server name in a TLS hello, empty for a plain connection."""

    address: str
    port: int
    name: str = ""


@dataclass(slots=True)
class Held:
    """Connections that are held open."""

    sockets: list[socket.socket] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    tried: int = 0

    def open(self, way: TcpWay, timeout: float) -> None:
        """One more; a failure is kept as a reason."""
        self.tried += 1
        try:
            found = socket.create_connection((way.address, way.port), timeout)
            self.sockets.append(_greeted(found, way.name) if way.name else found)
        except OSError as error:
            self.reasons.append(f"no connection: {type(error).__name__} {error}".strip())

    def alive(self) -> int:
        """How many of them the other side has not closed."""
        readable = select.select(self.sockets, [], [], 0)[0] if self.sockets else []
        return len(self.sockets) - sum(_ended(found) for found in readable)

    def close(self) -> None:
        """All of them."""
        for found in self.sockets:
            found.close()


Count = Callable[[], Mapping[str, int]]


def tcp_traffic(
    way: TcpWay, count: Count, *, expected: int, foreign: Iterable[str] = (), timeout: float = 2.0
) -> Traffic:
    """At least one connection an expected instance, and more until every one was met.

    `count` gives the balancer's established connections by remote endpoint; `foreign` are endpoints of other services.
    """
    held, before, ignored = Held(), Counter(count()), set(foreign)
    met: Counter[str] = Counter()
    try:
        while not held.reasons and held.tried < LIMIT * max(expected, 1) and (len(met) < expected or not held.tried):
            for _ in range(max(expected - len(met), 1)):
                held.open(way, timeout)
            met = _met(held, count, before, ignored, timeout)
            if sum(met.values()) < held.tried and not held.reasons:
                held.reasons.append(f"{held.tried - held.alive()} of {held.tried} connections were closed at once")
    finally:
        held.close()
    lost = max(held.tried - sum(met.values()), 0)
    return Traffic(held.tried, dict(met), {"": lost} if lost else {}, tuple(dict.fromkeys(held.reasons))[:3])


def _met(held: Held, count: Count, before: Counter[str], ignored: set[str], timeout: float) -> Counter[str]:
    """Which instances our connections are at, as soon as each is at one or was closed."""
    deadline = time.monotonic() + timeout
    while True:
        now = Counter({endpoint: n for endpoint, n in count().items() if endpoint not in ignored})
        met = +(now - before)
        if sum(met.values()) >= held.alive() or time.monotonic() > deadline:
            return met
        time.sleep(PACE)


def _greeted(plain: socket.socket, name: str) -> ssl.SSLSocket:
    """A TLS connection; whose certificate it is does not matter here, only that somebody can speak for the name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except OSError:
        plain.close()
        raise


def _ended(found: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        plain = socket.socket(fileno=socket.dup(found.fileno())) if isinstance(found, ssl.SSLSocket) else found
        try:
            return plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        finally:
            if plain is not found:
                plain.close()
    return True
