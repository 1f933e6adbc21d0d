"""The single values of a spec: each function takes what YAML gave and returns what it means, or raises Wrong.

Numbers and truth values may come as text, because that is what a variable's value is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address, ip_network
from urllib.parse import urlsplit

from stackctl.domain.instance import DNS_LABEL, Endpoint
from stackctl.domain.route import Route, parse_route
from stackctl.spec.findings import NoText, Wrong, shown, suggestion

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
DURATION = r"([0-9]{1,9}(\.[0-9]{1,9})?(h|m|s|ms|us))+"
LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
DNS_NAME = rf"{LABEL}(\.{LABEL})*"
# A prefix is compared with the decoded path, so no percent signs; and nothing that means something to nginx.
ROUTE_PATH = r"/|(/[A-Za-z0-9._~:@+,=-]+)+/?"
_URL_CHARACTER = r"[A-Za-z0-9._~:@!&*()+,=/-]|%[0-9A-Fa-f]{2}"
URL_PATH = rf"/({_URL_CHARACTER})*(\?({_URL_CHARACTER}|\?)*)?"
ROUTE = rf"host|(host|tls):{DNS_NAME}|tcp:(?!0+$)[0-9]{{1,5}}|{ROUTE_PATH}"
KEY_PREFIX = r"(/[A-Za-z0-9._-]+)+"
FILE_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
KEYS = r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/?"
PASSWORD = r"[!-~]+"  # printable, without spaces: Redis splits its config files at them
CONTEXT = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
ENGINE_URL = r"(ssh|tcp)://[A-Za-z0-9@._:\[\]-]+"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
IMAGE = (
    rf"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?{_PART}(/{_PART})*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)

RESERVED = ("balancer", "consul", "lb", "redis", "registrator", "sentinel", "vip")
RESERVED_BEGINNINGS = ("consul-", "redis-", "sentinel-")
SERVICE_NAME = rf"(?!({'|'.join(RESERVED)})$|{'|'.join(RESERVED_BEGINNINGS)}){LABEL}"


def text(value: object) -> str:
    """Any text but an empty one."""
    if not isinstance(value, str):
        raise NoText(f"a text is wanted, got {shown(value)}")
    if not value:
        raise Wrong("a text is wanted, got an empty one")
    return value


def whole(value: object, low: int, high: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong(f"a whole number is wanted, got {shown(value)}")
    if not low <= value <= high:
        raise Wrong(f"a whole number from {low} to {high} is wanted, got {shown(value)}")
    return value


def one_of(value: object, choices: Sequence[object], hint: str = "") -> object:
    """One of a few values; numbers among them may come as text."""
    found = next((choice for choice in choices if str(choice) == str(value)), None)
    if found is None or isinstance(value, bool):
        wanted = f"{', '.join(map(str, choices[:-1]))} or {choices[-1]}"
        near = suggestion(value, map(str, choices)) if isinstance(value, str) else ""
        raise Wrong(f"{wanted} is wanted, got {shown(value)}", near or hint)
    return found


def flag(value: object) -> bool:
    """True or false."""
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise Wrong(f"true or false is wanted, got {shown(value)}")
    return found


def seconds(value: object, low: float, high: float) -> float:
    """A duration as in Compose (`1m30s`), or a number of seconds."""
    number = value
    if isinstance(value, str) and re.fullmatch(DURATION, value):
        number = sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9.]+)(ms|us|[hms])", value))
    elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        number = float(value)
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        raise Wrong(f"a duration is wanted, got {shown(value)}", "as in 500ms, 1s, 1m30s, 90m")
    if not low <= number <= high:
        raise Wrong(f"a duration from {_span(low)} to {_span(high)} is wanted, got {shown(value)}")
    return float(number)


def _span(seconds: float) -> str:
    """A round number of seconds as a person writes it."""
    unit = next((unit for unit, size in _UNITS.items() if seconds >= size and seconds % size == 0), "ms")
    return f"{seconds / _UNITS[unit]:g}{unit}"


def _written(value: object, pattern: str, what: str, hint: str) -> str:
    """A text that is written as a pattern says."""
    found = text(value)
    if not re.fullmatch(pattern, found):
        raise Wrong(f"{shown(found)} is no {what}", hint)
    return found


def label(value: object, longest: int) -> str:
    """A DNS label."""
    name = text(value)
    if len(name) > longest:
        raise Wrong(f"a name has at most {longest} characters, this one has {len(name)}")
    if not DNS_LABEL.match(name):
        raise Wrong(f"{shown(name)} is no name", "lower-case letters, digits, and hyphens between them")
    return name


def service_name(value: object) -> str:
    """A DNS label that no part of stackctl's own goes by."""
    name = label(value, longest=40)
    if name in RESERVED or name.startswith(RESERVED_BEGINNINGS):
        raise Wrong(f"`{name}` is the name of one of stackctl's own parts", "choose another name")
    return name


def dns_name(value: object) -> str:
    """A DNS name: labels with dots between them, with room for a label in front."""
    name = text(value)
    if len(name) > 189 or not all(DNS_LABEL.match(part) for part in name.split(".")):
        raise Wrong(f"{shown(name)} is no DNS name", "lower-case, as in example.test")
    return name


def context(value: object) -> str:
    """A Docker context's name."""
    return _written(value, CONTEXT, "name of a Docker context", "`docker context ls` lists them")


def engine_url(value: object) -> str:
    """Where an engine listens."""
    hint = "as in ssh://user@machine or tcp://192.0.2.7:2376"
    url = _written(value, ENGINE_URL, "address of an engine", hint)
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:
        raise Wrong(f"{shown(url)} is no address of an engine", hint) from None
    return url


def address(value: object) -> str:
    """A machine's IPv4 address."""
    written = text(value)
    try:
        found = IPv4Address(written)
    except ValueError:
        raise Wrong(f"{shown(written)} is no IPv4 address", "as in 192.0.2.7") from None
    if found.is_loopback or found.is_unspecified or found.is_multicast:
        raise Wrong(f"{shown(written)} is no address by which other machines reach this one")
    return written


def url_path(value: object) -> str:
    """The path of a URL, with a query if need be."""
    path = text(value)
    if not re.fullmatch(URL_PATH, path) or ".." in path:
        raise Wrong(f"{shown(path)} is no URL path", "as in /healthz; other characters as %20")
    return path


def route(value: object) -> Route:
    """How the entry reaches a service; a bare `host` has no name yet, it is the service's."""
    written = text(value)
    kind, _, rest = written.partition(":")
    if kind == "tcp" and rest:
        return Route("tcp", port=whole(rest, 1, 65535))
    if kind in ("host", "tls") and rest:
        dns_name(rest)
    try:
        return parse_route(written, own_host="")
    except ValueError:
        hint = "/, /api, host, host:api.example.test, tcp:9999, tls:db.example.test, or nothing for an internal service"
        raise Wrong(f"{shown(written)} is no route", hint) from None


def dns(value: object) -> bool | str:
    """Whether containers ask the registry for names, or the subnet in which they do."""
    if not isinstance(value, str) or value in ("true", "false"):
        return flag(value)
    try:
        subnet = ip_network(value)
        odd = subnet.is_loopback or subnet.is_link_local or subnet.is_multicast or subnet.is_unspecified
        if subnet.version == 4 and 16 <= subnet.prefixlen <= 28 and not odd:
            return str(subnet)
    except ValueError:
        pass
    raise Wrong(f"{shown(value)} is no subnet", "true, or an IPv4 network with 16 to 28 bits, as in 10.99.7.0/24")


def key_prefix(value: object) -> str:
    """What keys begin with."""
    return _written(value, KEY_PREFIX, "prefix of keys", "as in /work")


def file_name(value: object) -> str:
    """A plain name of a file."""
    return _written(value, FILE_NAME, "plain name of a file", "as in upstreams.conf")


def keys(value: object) -> str:
    """A prefix of keys in the registry."""
    return _written(value, KEYS, "prefix of keys", "as in config/app")


def command(value: object) -> str:
    """A command for the shell."""
    line = text(value)
    if not line.isprintable() or len(line) > 1000:
        raise Wrong("a command of up to 1000 printable characters is wanted")
    return line


def password(value: object) -> str:
    """A password that fits on a line of a config; a message never shows it."""
    if value in ("", None):  # a variable that is not set must not open what was meant to be closed
        raise Wrong("a password is wanted, and this is empty", "leave the key out, and nobody is asked for one")
    if not isinstance(value, str):
        raise Wrong("a text is wanted as a password, and YAML takes this for something else", "put it in quotes")
    if not re.fullmatch(PASSWORD, value) or len(value) > 128 or set(value) & set("\"'\\#"):
        raise Wrong("a password of up to 128 printable characters is wanted, without spaces, quotes, \\ and #")
    return value


def image(value: object) -> str:
    """A bundled sample's name or an image reference."""
    reference = text(value)
    if len(reference) > 255 or not re.fullmatch(IMAGE, reference):
        raise Wrong(f"{shown(reference)} is no image reference", "as in nginx:1.30 or example.test/team/app:1")
    return reference


def folder(value: object) -> str:
    """A path in this machine's file system."""
    path = text(value)
    if not path.isprintable():
        raise Wrong(f"{shown(path)} is no path")
    return path


def endpoint(value: object) -> str:
    """An address by which containers reach it, and a port."""
    written = text(value)
    try:
        found = Endpoint.parse(written)
    except ValueError:
        message = f"{shown(written)} is no address and port"
        raise Wrong(message, "as in 192.0.2.7:8080 or [2001:db8::7]:80") from None
    address = ip_address(found.address)
    address = getattr(address, "ipv4_mapped", None) or address
    own = "name its address in the network"
    if address.is_loopback:
        raise Wrong(f"{shown(written)} is this machine to each of the stack's containers", own)
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        raise Wrong(f"{shown(written)} is no address of one machine", own)
    return str(found)


def distinct(endpoints: list[str]) -> list[str]:
    """The endpoints, each listed once."""
    twice = next((one for index, one in enumerate(endpoints) if one in endpoints[:index]), None)
    if twice:
        raise Wrong(f"{twice} is listed twice", "leave one of the two out")
    return endpoints
