"""What labels and SERVICE_* settings say, value by value; an unsafe one is a ValueError in words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stackctl.domain.catalog import CANARY_META, WEIGHT_META
from stackctl.domain.route import ROUTE_META, STRIP_META, parse_route

STACK_LABEL = "stackctl.stack"
SERVICE_LABEL = "stackctl.service"
ROLE_LABEL = "stackctl.role"
REGISTER_LABEL = "stackctl.register"
PORT_LABEL = "stackctl.port"
CHECK_LABEL = "stackctl.check"
WEIGHT_LABEL = "stackctl.weight"
ADDRESS_LABEL = "stackctl.address"
CANARY_LABEL = "stackctl.canary"
STOP_LABEL = "stackctl.stop"  # the signal that ends a container which its engine merely warns; `image`: the image's own
GRACE_LABEL = "stackctl.grace"  # the seconds between both and SIGKILL, where the engine does not tell them

PREFIX = "SERVICE_"
MAX_WEIGHT = 256
MAX_PERCENT = 99
MAX_META = 60  # Consul takes 64 pairs, and stackctl adds its own

# How a check may ask, in the order in which registrator looks; the first one that is set counts.
CHECK_KINDS = ("check_http", "check_https", "check_script", "check_ttl", "check_tcp", "check_grpc")
CHECK_DETAILS = (
    "check_interval",
    "check_timeout",
    "check_deregister_after",
    "check_initial_status",
    "check_http_method",
    "check_https_method",
    "check_grpc_use_tls",
    "check_tls_skip_verify",
)

_OF_A_PORT = re.compile(r"\d+_")
_NO_META = frozenset({"name", "tags", "id", "ignore", *CHECK_KINDS, *CHECK_DETAILS})
# A variable's name can't hold the dash that this one has.
_META_ALIASES = {"route_strip": STRIP_META}
_META_KEY = re.compile(r"(?!consul-|stackctl)[a-z0-9_-]{1,128}\Z")
_META_VALUE = re.compile(r"[^\x00-\x1f\x7f]*\Z")
MAX_META_VALUE = 512  # bytes, by Consul
TAG = re.compile(r"[^\x00-\x1f\x7f;{}$]{1,256}\Z")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_OFF = ("", "0", "false", "no", "off")

Wishes = Mapping[str, str]


def wishes(settings: Mapping[str, str]) -> Wishes:
    """The SERVICE_* settings among these, without the prefix and in lower case."""
    return {key.removeprefix(PREFIX).lower(): value for key, value in settings.items() if key.startswith(PREFIX)}


def of_port(everything: Wishes, port: int) -> Wishes:
    """What holds for one port: the general wishes, and over them the port's own; an empty one is none.

    A way to check that names the port takes the place of every general way.
    """
    own = f"{port}_"
    general = {key: value for key, value in everything.items() if not _OF_A_PORT.match(key)}
    named = {key.removeprefix(own): value for key, value in everything.items() if key.startswith(own)}
    if any(named.get(kind) for kind in CHECK_KINDS):
        general = {key: value for key, value in general.items() if key not in CHECK_KINDS}
    return {key: value for key, value in {**general, **named}.items() if value}


def on(here: Wishes, key: str) -> bool:
    """Whether a setting is there and does not say no."""
    return here.get(key, "").strip().lower() not in _OFF


def ignored(here: Wishes) -> bool:
    """Whether SERVICE_IGNORE asks for no registration."""
    return on(here, "ignore")


def tags(here: Wishes) -> tuple[str, ...]:
    r"""SERVICE_TAGS by its commas; `\,` is a comma within a tag."""
    parts = (part.replace(r"\,", ",").strip() for part in re.split(r"(?<!\\),", here.get("tags", "")))
    found = tuple(dict.fromkeys(filter(None, parts)))
    for tag in found:
        if not TAG.match(tag):
            raise ValueError(f"the tag {tag!r} holds a character that is not allowed, or is too long")
    return found


def meta(labels: Mapping[str, str], here: Wishes) -> tuple[tuple[str, str], ...]:
    """The weight, a canary's share, and every SERVICE_X that has no meaning of its own, as metadata `x`."""
    found = {_META_ALIASES.get(key, key): value for key, value in here.items() if key not in _NO_META}
    if "check_cmd" in found:
        raise ValueError("SERVICE_CHECK_CMD runs a command in the container, which Consul can't; use HEALTHCHECK")
    if WEIGHT_LABEL in labels:
        found[WEIGHT_META] = labels[WEIGHT_LABEL]
    if WEIGHT_META in found:
        found[WEIGHT_META] = str(whole(found[WEIGHT_META], "the weight", MAX_WEIGHT))
    if ROUTE_META in found:
        try:
            parse_route(found[ROUTE_META], "service.localhost")
        except ValueError as problem:
            raise ValueError(f"SERVICE_ROUTE: {problem}") from problem
    for key, value in found.items():
        if not _META_KEY.match(key) or not _META_VALUE.match(value) or len(value.encode()) > MAX_META_VALUE:
            raise ValueError(f"{PREFIX}{key.upper()} or its value is not allowed as metadata")
    if len(found) > MAX_META:
        raise ValueError(f"{len(found)} pieces of metadata are more than the {MAX_META} that the registry takes")
    if CANARY_LABEL in labels:  # a name that no SERVICE_X can take
        found[CANARY_META] = str(whole(labels[CANARY_LABEL], "the canary's share in percent", MAX_PERCENT))
    return tuple(sorted(found.items()))


def seconds(text: str) -> float:
    """The seconds in a duration like 1s, 500ms or 1m30s."""
    if not _DURATION.match(text):
        raise ValueError(f"{text!r} is not a duration like 1s, 500ms or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", text))


def whole(text: str, what: str, most: int) -> int:
    """The whole number from 1 to `most` in a text."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= most:
        raise ValueError(f"{what} is {text!r}, not a whole number from 1 to {most}")
    return int(text)
