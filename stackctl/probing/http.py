"""Requests through a balancer, each on a fresh connection, that tell which instance answered."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from stackctl.domain.observation import Traffic

PROBE_HEADER = "X-Stackctl-Probe"
UPSTREAM_HEADER = "X-Stackctl-Upstream"
SAMPLES = 3  # reasons that are kept
MUCH = 1 << 20  # bytes of one answer; what is longer is believed to go on
SILENT = 3  # requests without any instance's answer after which asking on tells nothing new


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a service: where to connect, what to ask for there; `tls` where TLS ends at the balancer."""

    address: str
    port: int
    host: str
    path: str
    tls: bool = False


def traffic(
    way: Way,
    token: str,
    *,
    expected: int,
    timeout: float = 2.0,
    most: int = 0,
    going: Callable[[], bool] = lambda: True,
) -> Traffic:
    """At least four requests an expected instance, and more until every one was met, up to twenty each, or `most`.

    A request that ends with a status of 500 or more, without an instance behind it, or not at all is a failure; so is
    every attempt that the balancer itself made in vain before another instance answered. Of an answer that does not
    end, the beginning counts. Nothing more is asked once `going` says no. Times in seconds.
    """
    at_least, at_most = 4 * max(expected, 1), max(20 * max(expected, 1), most)
    answered: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    reasons: list[str] = []
    requests = 0
    while (
        going()
        and failed[""] < SILENT
        and (requests < at_least or (len(answered) < expected and not failed and requests < at_most))
    ):
        requests += 1
        try:
            attempts = _request(way, token, timeout)
        except (OSError, http.client.HTTPException) as error:
            attempts = [("", f"no answer: {type(error).__name__} {error}".strip())]
        for endpoint, problem in attempts:
            (failed if problem else answered)[endpoint] += 1
            if problem and len(reasons) < SAMPLES and problem not in reasons:
                reasons.append(f"{endpoint}: {problem}" if endpoint else problem)
    return Traffic(requests, dict(answered), dict(failed), tuple(dict.fromkeys(reasons)))


def _request(way: Way, token: str, timeout: float) -> list[tuple[str, str]]:
    """The instances that the balancer tried for one request, in order, each with what went wrong there (or nothing)."""
    connection = _connection(way, timeout)
    try:
        connection.request("GET", way.path, headers={"Host": way.host, PROBE_HEADER: token, "Connection": "close"})
        response = connection.getresponse()
        _take(response, time.monotonic() + timeout)
        upstream, status = response.getheader(UPSTREAM_HEADER, ""), response.status
    finally:
        connection.close()
    return attempts_of(upstream, status)


def _take(response: http.client.HTTPResponse, deadline: float) -> None:
    """The answer's body, of one without an end only so much; raises `http.client.IncompleteRead` for one cut short."""
    whole, taken = response.length, 0
    while taken < MUCH and taken != whole and time.monotonic() < deadline:
        part = response.read1(MUCH)
        if not part:
            if whole is not None:
                raise http.client.IncompleteRead(b"", whole - taken)
            return
        taken += len(part)


def _connection(way: Way, timeout: float) -> http.client.HTTPConnection:
    if not way.tls:
        return http.client.HTTPConnection(way.address, way.port, timeout=timeout)
    import ssl

    # Who the balancer is, the token has told already; the certificate is its clients' affair.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(way.address, way.port, timeout=timeout, context=context)


def attempts_of(upstream: str, status: int) -> list[tuple[str, str]]:
    """nginx's `address, address|status, status` as attempts; the last one is answered by `status`."""
    addresses, _, statuses = upstream.partition("|")
    tried = [address.strip() for address in addresses.split(",") if address.strip() not in ("", "-")]
    codes = [code.strip() for code in statuses.split(",")]
    if not tried:
        return [("", f"status {status} from the balancer itself, no instance was asked")]
    # Within one upstream the endpoints are addresses; a name in their place means that none could be chosen.
    if ":" not in tried[-1]:
        return [("", f"status {status}: the balancer has no live instance")]
    earlier = [
        (endpoint, f"status {code} in the balancer's attempt")
        for endpoint, code in zip(tried[:-1], codes[:-1], strict=False)
    ]
    return [*earlier, (tried[-1], f"status {status}" if status >= 500 else "")]
