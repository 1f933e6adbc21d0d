"""Traffic through one balancer: from inside its container, and through the ports that it publishes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stackctl.domain.balancer import RoutedService, least_share
from stackctl.domain.catalog import Catalog, passing
from stackctl.domain.instance import Instance
from stackctl.domain.observation import Observation, Traffic
from stackctl.errors import StackctlError
from stackctl.ports import Probe
from stackctl.probing.http import Way, traffic
from stackctl.probing.tcp import TcpWay, tcp_traffic
from stackctl.probing.wire import traffic_from_json
from stackctl.rendering.nginx import TLS_PORT

HTTP, HTTPS = 80, 443
NOBODY = "probe.invalid"  # a host that no service can be routed by (RFC 6761)
LONGEST = 60.0  # seconds for all requests of one service
EVEN = 0.9  # of an equal part: from there on every instance is met soon enough
PATIENCE = 10  # turns in which a backend's share comes up at least once, whatever else is asked meanwhile


@dataclass(frozen=True, slots=True)
class Through:
    """One balancer's probe and token, what was observed, and the services that it routes."""

    probe: Probe
    token: str
    seen: Observation
    routed: tuple[RoutedService, ...]

    async def inside(self, service: RoutedService) -> Traffic:
        """Requests or connections from within the balancer's container."""
        try:
            words: dict[str, Any] = {"expected": self._expected(service), "timeout": LONGEST}
            if _streamed(service):
                tcp = asdict(_tcp_way(service, "127.0.0.1", _inner_port(service)))
                answer = await self.probe.ask("tcp", way=tcp, foreign=self._foreign(service), **words)
            else:
                http = asdict(_way(service, "127.0.0.1", HTTP, NOBODY))
                if most := self._most(service):
                    words["most"] = most
                answer = await self.probe.ask("traffic", way=http, **words)
        except StackctlError as error:
            return Traffic(1, failed={"": 1}, reasons=(error.message,))
        return traffic_from_json(answer)

    async def entries(self, balancer: Instance, host: str) -> Mapping[str, dict[str, Traffic]]:
        """The same from here, by published entry and service."""
        found: dict[str, dict[str, Traffic]] = {}
        for service in self.routed:
            inner = (_inner_port(service),) if _streamed(service) else (HTTP, HTTPS)
            for port in (balancer.ports[number] for number in inner if number in balancer.ports):
                tls = balancer.ports.get(HTTPS) == port
                loop = asyncio.get_running_loop()
                with _wanted(LONGEST) as going:
                    met = await asyncio.to_thread(self._entry, service, host, port, tls=tls, loop=loop, going=going)
                found.setdefault(f"entry {host}:{port}", {})[service.name] = met
        return found

    def _entry(
        self,
        service: RoutedService,
        host: str,
        port: int,
        *,
        tls: bool,
        loop: asyncio.AbstractEventLoop,
        going: Callable[[], bool],
    ) -> Traffic:
        expected = self._expected(service)
        if not _streamed(service):
            way = _way(service, host, port, host, tls=tls)
            return traffic(way, self.token, expected=expected, most=self._most(service), going=going)

        def count() -> Mapping[str, int]:
            asked = asyncio.run_coroutine_threadsafe(self.probe.ask("connections"), loop)
            answer: Mapping[str, int] = asked.result()
            return answer

        tcp = _tcp_way(service, host, port)
        try:
            return tcp_traffic(tcp, count, expected=expected, foreign=self._foreign(service))
        except StackctlError as error:
            return Traffic(1, failed={"": 1}, reasons=(error.message,))

    def _expected(self, service: RoutedService) -> int:
        return len(passing(self._catalog(service.catalog_name).entries))

    def _most(self, service: RoutedService) -> int:
        """How many requests it may take to meet a backend of little weight, a canary; 0 where that is as usual."""
        share = min((least_share(b.backends.get(service.name, ())) for b in self.seen.balancers), default=1.0)
        return 0 if share * self._expected(service) > EVEN else round(PATIENCE / share)

    def _foreign(self, service: RoutedService) -> list[str]:
        """Where other services, and the parts of the stack, have their connections."""
        own = {str(entry.endpoint) for entry in self._catalog(service.catalog_name).entries}
        others = {str(entry.endpoint) for catalog in self.seen.catalogs.values() for entry in catalog.entries}
        return sorted(others - own)

    def _catalog(self, name: str) -> Catalog:
        return self.seen.catalogs.get(name, Catalog(name))


@contextlib.contextmanager
def _wanted(seconds: float) -> Iterator[Callable[[], bool]]:
    """Whether to go on: for so long, and while somebody waits; a thread can't be cancelled, and would keep Ctrl-C."""
    deadline, over = time.monotonic() + seconds, threading.Event()
    try:
        yield lambda: not over.is_set() and time.monotonic() < deadline
    finally:
        over.set()


def _streamed(service: RoutedService) -> bool:
    return service.route.kind in ("tcp", "tls")


def _inner_port(service: RoutedService) -> int:
    return service.route.port if service.route.kind == "tcp" else TLS_PORT


def _way(service: RoutedService, address: str, port: int, host: str, *, tls: bool = False) -> Way:
    path = service.route.path if service.route.path == "/" or not service.route.strip else f"{service.route.path}/"
    return Way(address, port, service.route.host or host, path, tls)


def _tcp_way(service: RoutedService, address: str, port: int) -> TcpWay:
    return TcpWay(address, port, service.route.host if service.route.kind == "tls" else "")
