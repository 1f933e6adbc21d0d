"""What labels and SERVICE_* settings say, value by value; an unsafe one is a ValueError in words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from stackctl.domain.catalog import WEIGHT_META
from stackctl.domain.stack import Check

STACK_LABEL = "stackctl.stack"
SERVICE_LABEL = "stackctl.service"
ROLE_LABEL = "stackctl.role"
REGISTER_LABEL = "stackctl.register"
PORT_LABEL = "stackctl.port"
CHECK_LABEL = "stackctl.check"
WEIGHT_LABEL = "stackctl.weight"
ADDRESS_LABEL = "stackctl.address"

PREFIX = "SERVICE_"
MAX_WEIGHT = 256
MAX_META = 60  # Consul takes 64 pairs, and stackctl adds its own

_OF_A_PORT = re.compile(r"\d+_")
_NO_META = re.compile(r"(name|tags|id|ignore|check_.+)\Z")
_META_KEY = re.compile(r"(?!consul-|stackctl)[a-z0-9_-]{1,128}\Z")
_META_VALUE = re.compile(r"[^\x00-\x1f\x7f]{0,512}\Z")
_TAG = re.compile(r"[^\x00-\x1f\x7f;{}$]{1,256}\Z")
_PATH = re.compile(r"/(?:(?![;{}$])[!-~]){0,300}\Z")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+\Z")
_TIMES = ("interval", "timeout", "deregister_after")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Wishes = Mapping[str, str]


def wishes(settings: Mapping[str, str]) -> Wishes:
    """The SERVICE_* settings among these, without the prefix and in lower case."""
    return {key.removeprefix(PREFIX).lower(): value for key, value in settings.items() if key.startswith(PREFIX)}


def of_port(everything: Wishes, port: int) -> Wishes:
    """What holds for one port: the general wishes, and over them the port's own."""
    own = f"{port}_"
    general = {key: value for key, value in everything.items() if not _OF_A_PORT.match(key)}
    return general | {key.removeprefix(own): value for key, value in everything.items() if key.startswith(own)}


def ignored(here: Wishes) -> bool:
    """Whether SERVICE_IGNORE asks for no registration."""
    return here.get("ignore", "").strip().lower() not in ("", "0", "false")


def tags(here: Wishes) -> tuple[str, ...]:
    r"""SERVICE_TAGS by its commas; `\,` is a comma within a tag."""
    parts = (part.replace(r"\,", ",").strip() for part in re.split(r"(?<!\\),", here.get("tags", "")))
    found = tuple(dict.fromkeys(filter(None, parts)))
    for tag in found:
        if not _TAG.match(tag):
            raise ValueError(f"the tag {tag!r} holds a character that is not allowed, or is too long")
    return found


def meta(labels: Mapping[str, str], here: Wishes) -> tuple[tuple[str, str], ...]:
    """The weight, and every SERVICE_X that has no meaning of its own, as metadata `x`."""
    found = {key: value for key, value in here.items() if not _NO_META.match(key)}
    if WEIGHT_LABEL in labels:
        found[WEIGHT_META] = labels[WEIGHT_LABEL]
    if WEIGHT_META in found:
        found[WEIGHT_META] = str(whole(found[WEIGHT_META], "the weight", MAX_WEIGHT))
    for key, value in found.items():
        if not _META_KEY.match(key) or not _META_VALUE.match(value):
            raise ValueError(f"{PREFIX}{key.upper()} or its value is not allowed as metadata")
    if len(found) > MAX_META:
        raise ValueError(f"{len(found)} pieces of metadata are more than the {MAX_META} that the registry takes")
    return tuple(sorted(found.items()))


def check(labels: Mapping[str, str], here: Wishes) -> Check:
    """The registry's own check: the label stackctl.check, else SERVICE_CHECK_*, else a connection."""
    if label := labels.get(CHECK_LABEL):
        return _checked(json.loads(label))
    path = here.get("check_http")
    times = {key: seconds(here[f"check_{key}"]) for key in _TIMES if f"check_{key}" in here}
    return _checked(({"kind": "http", "path": path} if path else {}) | times)


def _checked(given: Any) -> Check:
    if not isinstance(given, dict) or not given.keys() <= {"kind", "path", *_TIMES}:
        raise ValueError(f"{CHECK_LABEL} does not describe a check: {given!r}")
    if given.get("kind", "tcp") not in ("http", "tcp"):
        raise ValueError(f"the check's kind is {given['kind']!r}, not http or tcp")
    if not _PATH.match(str(given.get("path", "/"))):
        raise ValueError(f"the check's path {given['path']!r} is not a path of plain characters")
    for time in (given[key] for key in _TIMES if key in given):
        if not isinstance(time, int | float) or not math.isfinite(time) or not 0.001 <= time <= 1e7:
            raise ValueError(f"the check's time {time!r} is not a number of seconds")
    return Check(**given)


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
