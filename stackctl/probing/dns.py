"""What a DNS server of the registry answers for a service, as containers would hear it."""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from stackctl.errors import Unreachable

ZONE = "service.dc1.consul."


@dataclass(frozen=True, slots=True)
class Answers:
    """Addresses (A), and addresses with ports (SRV with the addresses of its targets)."""

    addresses: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


def answers(service: str, server: str, *, port: int = 53, timeout: float = 2.0) -> Answers:
    """Both answers of the DNS server at the address `server`; raises `Unreachable` where it is silent.

    Over TCP: an answer about many instances does not fit into a datagram.
    """
    name = f"{service}.{ZONE}"
    try:
        plain = dns.query.tcp(dns.message.make_query(name, "A"), server, timeout=timeout, port=port)
        located = dns.query.tcp(dns.message.make_query(name, "SRV"), server, timeout=timeout, port=port)
    except (OSError, dns.exception.DNSException) as error:
        raise Unreachable("dns-unreachable", f"DNS does not answer: {error}", where=f"{server}:{port}") from error
    addresses = {item.address for records in plain.answer for item in records if item.rdtype == dns.rdatatype.A}
    by_target = {
        records.name: item.address
        for records in located.additional
        for item in records
        if item.rdtype == dns.rdatatype.A
    }
    endpoints = {
        f"{by_target[item.target]}:{item.port}"
        for records in located.answer
        for item in records
        if item.rdtype == dns.rdatatype.SRV and item.target in by_target
    }
    return Answers(tuple(sorted(addresses)), tuple(sorted(endpoints)))
