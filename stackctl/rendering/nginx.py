"""The balancer's nginx configuration from its settings and backends, and the revision that names it."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2

from stackctl.domain.balancer import ALIVE, Backend, BalancerSettings, Target
from stackctl.domain.instance import Endpoint

STATUS_PORT = 8089
TLS_PORT = 8444  # inside the container; published as the spec says
CERTIFICATE = "/etc/stackctl/tls"  # the folder of chain.pem and key.pem
MODULES = "/usr/lib/nginx/modules"
RETRY = 10.0  # seconds for another instance, after one was silent for as long as it may
OWN = "the stack's own template"
REVISION_PLACEHOLDER = "@revision@"
TOKEN_PLACEHOLDER = "@token@"
SERVER_LINE = re.compile(r"^\s*server\s+(?P<endpoint>\S+:\d+)(?P<options>[^;]*);\s*#\s*(?P<id>\S+)\s*$")
UPSTREAM_LINE = re.compile(r"^\s*upstream\s+(?P<name>\S+)\s*\{")


@dataclass(frozen=True, slots=True)
class RenderedConfig:
    """A config's text and its revision: a digest that knows neither times nor secrets, equal for equal backends."""

    text: str
    revision: str


def render(
    template: jinja2.Template, settings: BalancerSettings, target: Target, *, token: str, run: str
) -> RenderedConfig:
    """The whole nginx.conf of a target; docs/templates.md tells what a template is given."""
    body = template.render(
        settings=settings,
        services=target.services,
        backends=target.backends,
        served=[name for name, members in target.backends.items() if members],
        run=run,
        status_port=STATUS_PORT,
        tls_port=TLS_PORT,
        certificate=CERTIFICATE,
        alive=ALIVE,
        modules=MODULES,
        connect_timeout=_milliseconds(settings.connect_timeout),
        response_timeout=_milliseconds(settings.response_timeout),
        next_timeout=_milliseconds(settings.response_timeout + RETRY),
        shutdown_timeout=_milliseconds(settings.shutdown_timeout),
        revision=REVISION_PLACEHOLDER,
        token=TOKEN_PLACEHOLDER,
    )
    revision = _digest(body)
    return RenderedConfig(body.replace(REVISION_PLACEHOLDER, revision).replace(TOKEN_PLACEHOLDER, token), revision)


def revision_of(text: str, *, claimed: str, token: str) -> str:
    """The revision that a config's text really has, whatever it claims: differs from `claimed` after any edit."""
    return _digest(text.replace(token, TOKEN_PLACEHOLDER).replace(claimed, REVISION_PLACEHOLDER))


def backends_in(text: str) -> Mapping[str, Sequence[Backend]]:
    """The backends that a config's text names, by upstream: for a text that was edited by hand."""
    found: dict[str, list[Backend]] = {}
    upstream = ""
    for line in text.splitlines():
        if opened := UPSTREAM_LINE.match(line):
            upstream = opened["name"]
            found[upstream] = []
        elif upstream and (server := SERVER_LINE.match(line)):
            weight = re.search(r"weight=(\d+)", server["options"])
            # A hand may write anything; what is no address is no backend of ours.
            with contextlib.suppress(ValueError):
                endpoint = Endpoint.parse(server["endpoint"])
                found[upstream].append(Backend(server["id"], endpoint, int(weight[1]) if weight else 1))
        elif line.strip() == "}":
            upstream = ""
    return found


def _milliseconds(seconds: float) -> str:
    """A time as nginx reads it."""
    return f"{round(seconds * 1000)}ms"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
