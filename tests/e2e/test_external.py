"""Endpoints that stackctl does not run: registered by it, checked by the registry, routed and proven like any other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.e2e.scenario import Scenario

pytestmark = pytest.mark.engine

SPEC = """\
name: {name}
registry: {{consul: {{servers: 1, ui: {ui}, dns: 198.19.255.0/24}}}}
balancer: {{http: {http}}}
services:
  web: {{image: whoami, port: 80, route: /}}
external:
  legacy:
    route: /legacy
    endpoints: ["198.19.255.1:{port}"]
    check: {{http: /legacy, interval: 500ms, timeout: 500ms}}
"""


class Legacy(BaseHTTPRequestHandler):
    """A program that was there before."""

    def do_GET(self) -> None:
        """Always the same."""
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"legacy\n")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(port: int = 0) -> Iterator[int]:
    """The program, on this machine; its port."""
    server = ThreadingHTTPServer(("0.0.0.0", port), Legacy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_external(scenario: Scenario) -> None:
    """It is proven while it answers; when it does not, the registry's check is named, and it comes back by itself."""
    with serving() as port:
        ports = {"ui": scenario.ui, "http": scenario.port, "port": port}
        scenario.spec.write_text(SPEC.format(name=scenario.name, **ports))
        scenario.stackctl("up", timeout=600)
        assert scenario.page("/legacy/x") == (200, "legacy\n")
        legacy = next(s for s in scenario.verify()["services"] if s["name"] == "legacy")
        assert legacy["desired"] == ["legacy-1"] == legacy["layers"]["registry"]
    services = scenario.verify("--timeout", "5s", code=3)["services"]
    found = {service["name"]: service["first_divergence"] for service in services}
    assert found["web"] is None
    assert (found["legacy"]["layer"], found["legacy"]["missing"]) == ("registry", ["legacy-1"])
    assert "failing its check" in found["legacy"]["reason"]
    assert scenario.page("/legacy/x")[0] == 503
    with serving(port):
        assert scenario.verify("--timeout", "20s")["converged"]
