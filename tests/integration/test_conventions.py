"""Every row of docs/conventions.md against a real Consul: what a container carries, and what Consul then answers.

All rows run at once, each in a container of its own; a test a row compares Consul's answers with a golden file.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from stackctl.domain.catalog import INSTANCE_META
from tests.golden import golden
from tests.integration.lab import PYTHON, Lab, eventually

pytestmark = pytest.mark.engine

GRPC_SERVER = (Path(__file__).parent / "grpc_health.py").read_text()
# The certificate of nobody in particular, and a page on every path.
TLS_SERVER = (
    "cd /tmp && openssl req -x509 -nodes -newkey rsa:2048 -days 1 -subj /CN=nobody -keyout k -out c 2>/dev/null"
    " && exec openssl s_server -accept 80 -key k -cert c -www -quiet"
)
TWO_PORTS = {"entrypoint": ["sh", "-c"], "command": f"PORT=81 {PYTHON} & exec {PYTHON}", "ports": {"81/tcp": None}}
# So long that no check runs while the test does: what is seen is what was registered.
NEVER = "100h"


@dataclass(frozen=True)
class Row:
    """A container: its SERVICE_* settings by label and by environment (without the prefix), and how it is run.

    `quiet` is one whose check has nothing to tell in the test's time.
    """

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    services: int = 1
    quiet: bool = False

    def start(self, site: Lab) -> Container:
        """Its container on the lab's network."""
        run = dict(self.run)
        words = [run.pop("command")] if "command" in run else []
        labels = {f"SERVICE_{key}" if key.isupper() else key: value for key, value in self.labels.items()}
        env = {f"SERVICE_{key}": value for key, value in self.env.items()}
        return site.run(self.name, "whoami", *words, labels=labels, environment=env, **run)


ROWS = (
    Row("name", {"NAME": "api"}),
    Row("name-of-the-image", {"TAGS": "blue"}),
    Row("names-of-ports", {"NAME": "pair", "81_NAME": "second"}, run=TWO_PORTS, services=2),
    Row("names-of-the-image-by-port", {"TAGS": "blue"}, run=TWO_PORTS, services=2),
    Row("tags", {"TAGS": r"blue, rule=a\,b,,blue"}),
    Row("id", {"NAME": "named", "ID": "my-id"}),
    Row("ids-of-ports", {"NAME": "pair", "ID": "both", "81_ID": "second"}, run=TWO_PORTS, services=2),
    Row("ignore", {"NAME": "api", "IGNORE": "true"}, services=0),
    Row("ignore-false", {"NAME": "api", "IGNORE": "false"}),
    Row("ignore-a-port", {"NAME": "pair", "81_IGNORE": "1"}, run=TWO_PORTS),
    Row("label-beats-environment", {"NAME": "variable", "REGION": "us"}, {"NAME": "label"}),
    Row("port-beats-general", {"80_NAME": "port", "80_REGION": "eu"}, {"NAME": "general", "REGION": "us"}),
    Row("metadata", {"NAME": "api", "REGION": "eu", "80_ZONE": "b", "81_ZONE": "c", "OTHER_THING": "x y"}),
    Row("route-and-weight", {"ROUTE": "/shop", "ROUTE_STRIP": "true", "WEIGHT": "5"}),
    Row("check-http", {"CHECK_HTTP": "/healthz"}),
    Row("check-http-method", {"CHECK_HTTP": "/healthz?a=b", "CHECK_HTTP_METHOD": "HEAD"}),
    Row(
        "check-https",
        {"CHECK_HTTPS": "/up", "CHECK_HTTPS_METHOD": "GET", "CHECK_TLS_SKIP_VERIFY": "true"},
        run={"entrypoint": ["sh", "-c"], "command": TLS_SERVER},
    ),
    Row("check-tcp", {"CHECK_TCP": "true"}),
    Row("check-script", {"CHECK_SCRIPT": 'echo "at $SERVICE_IP $SERVICE_PORT" | tr a-z A-Z'}),
    Row("check-ttl", {"CHECK_TTL": NEVER}, quiet=True),
    Row("check-grpc", {"CHECK_GRPC": "true"}, run={"entrypoint": ["python3", "-c"], "command": GRPC_SERVER}),
    Row("check-grpc-service", {"CHECK_GRPC": "web"}, run={"entrypoint": ["python3", "-c"], "command": GRPC_SERVER}),
    Row("check-of-a-port", {"NAME": "pair", "CHECK_HTTP": "/healthz", "81_CHECK_TCP": "1"}, run=TWO_PORTS, services=2),
    Row(
        "check-times",
        {"CHECK_HTTP": "/", "CHECK_INTERVAL": NEVER, "CHECK_TIMEOUT": "1m30s", "CHECK_DEREGISTER_AFTER": "10m"},
        quiet=True,
    ),
    Row("check-initial-status", {"CHECK_INITIAL_STATUS": "critical", "CHECK_INTERVAL": NEVER, "NAME": "a"}, quiet=True),
    Row("udp", {"NAME": "dns", "80_CHECK_TCP": "1"}, run={"ports": {"80/udp": None}}, services=2),
    Row("host-address", {"NAME": "by-host"}, {"stackctl.address": "host"}, {"ports": {"80/tcp": None}}),
    Row("two-networks", {"NAME": "between"}),
    Row("bad-name", {"NAME": "a;b"}, services=0),
    Row("bad-tag", {"TAGS": "a,${b}"}, services=0),
    Row("bad-weight", {"NAME": "a", "WEIGHT": "heavy"}, services=0),
    Row("bad-route", {"NAME": "a", "ROUTE": "/; return 200"}, services=0),
    Row("bad-path", {"NAME": "a", "CHECK_HTTP": "up"}, services=0),
    Row("bad-duration", {"NAME": "a", "CHECK_INTERVAL": "often"}, services=0),
    Row("bad-host-address", {"NAME": "a"}, {"stackctl.address": "host"}, {"ports": {"80/tcp": ("127.0.0.1",)}}, 0),
)


@dataclass(frozen=True)
class Site:
    """The lab with every row in it; `refused` is what was set aside before scripts were allowed."""

    lab: Lab
    containers: Mapping[str, Container]
    refused: Mapping[str, str]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One Consul for all rows, and a registrator that first may not pass on scripts, and then may."""
    lab = Lab()
    other = lab.engine.networks.create(f"{lab.name}-other")
    try:
        lab.start_consul("-enable-script-checks")
        with ThreadPoolExecutor(4) as pool:
            containers = dict(zip((row.name for row in ROWS), pool.map(lambda row: row.start(lab), ROWS), strict=True))
        other.connect(containers["two-networks"])
        registrator = lab.start_registrator()
        eventually("scripts are refused", lambda: f"{lab.name}-check-script" in set_aside(lab), 20)
        refused = set_aside(lab)
        registrator.remove(force=True)
        lab.start_registrator(STACKCTL_SCRIPT_CHECKS="true")
        eventually("every row is registered, and was checked", lambda: settled(lab), 30)
        yield Site(lab, containers, refused)
    finally:
        for container in lab.engine.containers.list(all=True, filters={"network": other.id}):
            other.disconnect(container, force=True)
        other.remove()
        lab.close()


def set_aside(lab: Lab) -> dict[str, str]:
    """Whom the registrator has set aside, and why."""
    return dict(lab.health().get("set_aside", {}))


def services(lab: Lab) -> dict[str, list[tuple[Any, list[Any]]]]:
    """What Consul's agent holds, each with its checks, by the row's name."""
    checks = list(ask(lab, "checks").values())
    found: dict[str, list[tuple[Any, list[Any]]]] = {row.name: [] for row in ROWS}
    for _, service in sorted(ask(lab, "services").items()):
        row = service["Meta"][INSTANCE_META].removeprefix(f"{lab.name}-")
        found[row].append((service, [check for check in checks if check["ServiceID"] == service["ID"]]))
    return found


def ask(lab: Lab, what: str, method: str = "GET") -> Any:
    """Consul's own answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{lab.consul_port}/v1/agent/{what}", method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read() or "null")


def settled(lab: Lab) -> bool:
    """Whether every row is registered as often as it should be, and every check that soon tells something did."""
    held, aside = services(lab), set_aside(lab)
    return all(
        len(held[row.name]) == row.services
        and (not row.name.startswith("bad-") or f"{lab.name}-{row.name}" in aside)
        and all(row.quiet or check["Output"] for _, checks in held[row.name] for check in checks)
        for row in ROWS
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(site: Site, row: Row) -> None:
    """Consul answers for this container what docs/conventions.md says."""
    lab = site.lab
    seen: dict[str, Any] = {"services": [told(*each) for each in services(lab)[row.name]]}
    if reason := set_aside(lab).get(f"{lab.name}-{row.name}"):
        seen["set_aside"] = reason
    text = json.dumps(seen, indent=2)
    golden(f"conventions/{row.name}.json", without_chance(text, site, row.name) + "\n")


def told(service: Any, checks: list[Any]) -> dict[str, Any]:
    """What matters of a service and its checks; of a check's output the line that says what was asked."""
    keep = ("ID", "Service", "Tags", "Meta", "Address", "Port", "Weights", "EnableTagOverride")
    outputs = [check["Output"].partition(" Output:")[0].strip() for check in checks]
    return {
        **{key: service[key] for key in keep},
        "Checks": [
            {"Type": check["Type"], "Status": check["Status"], "Name": check["Name"], "Output": output}
            for check, output in zip(checks, outputs, strict=True)
        ],
    }


def without_chance(text: str, site: Site, row: str) -> str:
    """The text without what differs from run to run: names, addresses, and the ports that the engine chose."""
    container = site.containers[row]
    container.reload()
    here = container.attrs["NetworkSettings"]["Networks"][site.lab.name]
    text = text.replace(f"{site.lab.name}-", "").replace(site.lab.name, "LAB").replace(here["IPAddress"], "ADDRESS")
    text = re.sub(rf"{re.escape(here['Gateway'])}\b", "GATEWAY", text)
    for published in container.ports.get("80/tcp") or ():
        text = text.replace(f'"Port": {published["HostPort"]}', '"Port": "PUBLISHED"')
        text = text.replace(f"GATEWAY:{published['HostPort']}", "GATEWAY:PUBLISHED")
    return text


def test_scripts_are_refused(site: Site) -> None:
    """Until scripts are allowed, the container that asks for one is set aside, and no other one for that."""
    whom = f"{site.lab.name}-check-script"
    assert "registry.consul.script_checks" in site.refused[whom]
    assert [name for name, why in site.refused.items() if "script" in why] == [whom]


def test_somebody_reports(site: Site) -> None:
    """A ttl check is whatever somebody last reported to Consul; the registrator writes nothing over it."""
    (service, _) = services(site.lab)["check-ttl"][0]
    for report, status in (("fail", "critical"), ("pass", "passing")):
        ask(site.lab, f"check/{report}/service:{service['ID']}", "PUT")
        (_, (check,)) = services(site.lab)["check-ttl"][0]
        assert check["Status"] == status


@pytest.mark.parametrize(("row", "id"), [("name", "name-renamed"), ("id", "my-id")])
def test_rename_is_followed(site: Site, row: str, id: str) -> None:
    """A renamed container is registered under its new name only; the id that SERVICE_ID gave it stays."""
    was, container = f"{site.lab.name}-{row}", site.containers[row]

    def ids(instance: str) -> list[str]:
        held = ask(site.lab, "services").values()
        return [one["ID"].removeprefix(f"{site.lab.name}-") for one in held if one["Meta"][INSTANCE_META] == instance]

    container.rename(f"{was}-renamed")
    eventually("only the new name is there", lambda: (ids(was), ids(f"{was}-renamed")) == ([], [id]))
    container.rename(was)
    eventually("the old name is back", lambda: ids(was))
