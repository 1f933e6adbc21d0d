"""Every way from the entry to a service, proven: paths, hosts, tcp, https, names by DNS, and the registry's own."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bench.ports import free_port
from tests.e2e.scenario import Scenario, eventually

pytestmark = pytest.mark.engine

SPEC = """\
name: {name}
registry: {{consul: {{servers: 1, ui: {ui}, dns: true}}}}
balancer: {{http: {http}, https: {https}, domain: example.test, stub_status: true, tcp: [{spare}]}}
services:
  web: {{image: whoami, port: 80, route: /}}
  api: {{image: whoami, port: 80, replicas: 2, route: /api, strip_prefix: true}}
  admin: {{image: whoami, port: 80, route: host}}
  echo: {{image: whoami, port: 80, replicas: 2, route: "tcp:{tcp}"}}
  inner: {{image: whoami, port: 80, replicas: 2}}
"""


class Routes(Scenario):
    """The scenario with the ports that its stack publishes beside the entry."""

    https: int
    tcp: int
    spare: int

    def get(self, url: str, host: str = "") -> tuple[int, str]:
        """Status and text of any URL; TLS is checked against the stack's own authority."""
        authority = self.folder / ".stackctl" / "authority" / "authority.pem"
        context = ssl.create_default_context(cafile=str(authority)) if url.startswith("https") else None
        request = urllib.request.Request(url, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=5, context=context) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def address(self, service: str, number: int = 1) -> str:
        """An instance's address on the stack's network."""
        networks = self.container(service, number).attrs["NetworkSettings"]["Networks"]
        return str(networks[f"{self.name}_default"]["IPAddress"])

    def status(self) -> dict[str, Any]:
        """What `status` says of the first agent of a balancer."""
        agents = self.stackctl("status", "--format", "json").json["agents"]
        found: dict[str, Any] = next(agent for agent in agents if agent["id"] == self.id("lb"))
        return found


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routes]:
    """The stack, up and proven."""
    made = Routes(f"e2e-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("routes"), free_port(), free_port())
    made.https, made.tcp, made.spare = free_port(), free_port(), free_port()
    ports = {"http": made.port, "ui": made.ui, "https": made.https, "tcp": made.tcp, "spare": made.spare}
    made.spec.write_text(SPEC.format(name=made.name, **ports))
    try:
        made.stackctl("up", timeout=600)
        yield made
    finally:
        made.clean()


def test_paths(routes: Routes) -> None:
    """The longest path wins; a stripped prefix is not seen by the instance."""
    assert "GET /x/y with" in routes.page("/x/y")[1]
    assert "GET /x/y with" in routes.page("/api/x/y")[1]
    assert "GET / with" in routes.page("/api")[1]
    assert "GET /apix with" in routes.page("/apix")[1]


def test_hosts(routes: Routes) -> None:
    """<service>.<domain> is the service's, on both ports; the certificate holds for it."""
    admin = routes.container("admin").attrs["Config"]["Hostname"]
    assert f"answered by {admin}" in routes.get(f"{routes.url}/", "admin.example.test")[1]
    assert f"answered by {admin}" in routes.get(f"https://127.0.0.1:{routes.https}/", "admin.example.test")[1]
    assert routes.get(f"https://127.0.0.1:{routes.https}/stub_status")[0] == 200


def test_tcp(routes: Routes) -> None:
    """A port of its own reaches each instance."""
    hosts = {routes.container("echo", number).attrs["Config"]["Hostname"] for number in (1, 2)}

    def answered() -> str:
        return routes.get(f"http://127.0.0.1:{routes.tcp}/")[1].rpartition("answered by ")[2].strip()

    assert {answered() for _ in range(12)} == hosts


def test_everything_is_proven(routes: Routes) -> None:
    """Each service by its own ways; tcp through both ends, an internal one by DNS."""
    layers = {service["name"]: service["layers"] for service in routes.verify()["services"]}
    lb = routes.id("lb")
    assert set(layers["web"]["traffic"]) == {lb, f"entry 127.0.0.1:{routes.port}", f"entry 127.0.0.1:{routes.https}"}
    assert set(layers["echo"]["traffic"]) == {lb, f"entry 127.0.0.1:{routes.tcp}"}
    for way in layers["echo"]["traffic"].values():
        assert set(way["by_instance"]) == {routes.id("echo", 1), routes.id("echo", 2)}
        assert (way["errors"], way["strangers"]) == (0, 0)
    inner = [routes.id("inner", 1), routes.id("inner", 2)]
    assert layers["inner"]["dns"] == {"A": inner, "SRV": inner}


def test_a_dead_tcp_instance_is_missed(routes: Routes) -> None:
    """An instance of a tcp route that is stopped behind everybody's back is named."""
    routes.container("echo", 2).stop(timeout=1)
    try:
        services = routes.verify(code=3)["services"]
        found = next(s["first_divergence"] for s in services if s["name"] == "echo")
        assert (found["layer"], found["missing"]) == ("engine", [routes.id("echo", 2)])
    finally:
        routes.stackctl("up")


def resolved(routes: Routes, name: str) -> str:
    """The addresses that a container gets for a name, as a list."""
    ask = f"import socket; print(sorted({{a[4][0] for a in socket.getaddrinfo('{name}', 80)}}))"
    return routes.inside("web", "python3", "-E", "-s", "-S", "-c", ask).strip()


def test_names(routes: Routes) -> None:
    """Containers find internal services by name through the registry's agent, and still everybody else."""
    addresses = sorted(routes.address("inner", number) for number in (1, 2))
    assert resolved(routes, "inner.service.dc1.consul") == str(addresses)
    assert resolved(routes, routes.id("consul-1")) != "[]"


def test_names_without_a_leader(routes: Routes) -> None:
    """Names that were asked for before resolve while no Consul server answers."""
    before = resolved(routes, "inner.service.dc1.consul")
    server = routes.container("consul-1")
    server.kill()
    try:
        assert resolved(routes, "inner.service.dc1.consul") == before != "[]"
    finally:
        server.start()
        routes.verify("--timeout", "60")


def test_registered_by_hand(routes: Routes) -> None:
    """A service that only the registry knows is routed, on a path and on a spare port, and nothing is restarted."""
    before = routes.container("lb").attrs["State"]["StartedAt"]
    where = (
        f"{routes.container('inner').attrs['NetworkSettings']['Networks'][f'{routes.name}_default']['IPAddress']}:80"
    )
    routes.stackctl("register", "docs", "docs-1", where, "--meta", "route=/docs", "--check-http", "/healthz")
    routes.stackctl("register", f"raw-{routes.spare}", "raw-1", where, "--tag", "tcp")
    routes.stackctl("register", "rival", "rival-1", where, "--meta", "route=/api")
    routes.stackctl("register", "odd", "odd-1", where, "--meta", "route=/x;}", code=2)
    odd = {"ID": "odd-1", "Name": "odd", "Address": where.removesuffix(":80"), "Port": 80, "Meta": {"route": "/x;}"}}
    routes.consul("PUT", "/v1/agent/service/register", odd)  # others ask nobody
    inner = routes.container("inner").attrs["Config"]["Hostname"]
    eventually(lambda: inner in routes.page("/docs/a")[1], "the path of a service registered by hand")
    eventually(lambda: inner in routes.get(f"http://127.0.0.1:{routes.spare}/")[1], "its tcp port")
    detail = eventually(lambda: "odd-1" in routes.status()["detail"] and routes.status()["detail"], "who is set aside")
    assert "rival is set aside: the path /api belongs to the stack's api" in detail
    assert "odd-1 is set aside: '/x;}' is no route" in detail
    routes.stackctl("deregister", "docs-1", "raw-1", "rival-1", "odd-1")
    web = routes.container("web").attrs["Config"]["Hostname"]
    eventually(lambda: web in routes.page("/docs/a")[1], "the path to be web's again")
    assert routes.container("lb").attrs["State"]["StartedAt"] == before
    assert routes.verify()["converged"]


def test_drained_by_hand(routes: Routes) -> None:
    """A drained instance is out of every balancer at once, says why, outlasts `up`, and comes back."""
    id = routes.id("api", 1)
    routes.stackctl("drain", id, "--reason", "disk swap")
    assert id not in routes.stackctl("config").stdout
    found = next(s["first_divergence"] for s in routes.verify(code=3)["services"] if s["name"] == "api")
    assert (found["layer"], found["missing"]) == ("engine", [id])
    assert "disk swap" in found["reason"]
    routes.stackctl("up", "--no-wait")
    assert id not in routes.stackctl("config").stdout
    routes.stackctl("undrain", id)
    assert routes.verify("--timeout", "20s")["converged"]
    routes.stackctl("drain", "nosuch", code=2)


def test_weights(routes: Routes) -> None:
    """The meta `weight` of a registration becomes nginx's weight."""
    where = (
        f"{routes.container('inner').attrs['NetworkSettings']['Networks'][f'{routes.name}_default']['IPAddress']}:80"
    )
    routes.stackctl("register", "canary", "canary-1", where, "--meta", "route=/canary", "--meta", "weight=7")
    eventually(lambda: f"server {where} weight=7 " in routes.stackctl("config").stdout, "the weight in the config")
    routes.stackctl("deregister", "canary-1")


def test_bad_labels(scenario: Scenario) -> None:
    """An instance whose labels can't be used is set aside alone, and named with the reason by `verify` and `ps`."""
    spec = scenario.spec.read_text().replace("servers: 3", "servers: 1")
    odd = '  odd: {image: whoami, port: 80, route: /odd, compose: {labels: {SERVICE_TAGS: "a;}{"}}}\n'
    scenario.spec.write_text(spec + odd)
    refused = scenario.stackctl("up", "--timeout", "8s", "--format", "json", code=3).json
    found = {service["name"]: service["first_divergence"] for service in refused["services"]}
    assert found["web"] is None
    assert found["odd"]["missing"] == [scenario.id("odd")]
    assert "is set aside: the tag 'a;}{' holds a character" in found["odd"]["reason"]
    listed = scenario.stackctl("ps", "--format", "json").json["instances"]
    assert "the tag 'a;}{'" in next(item["set_aside"] for item in listed if item["id"] == scenario.id("odd"))
    assert "a;}{" not in scenario.stackctl("config").stdout
    assert scenario.page("/odd")[0] == 503 and scenario.page("/")[0] == 200


BROKEN = '{% extends "nginx.conf.j2" %}\n{% block http %}\n{{ nosuch }}\n{% endblock %}\n'
OWN = """\
{% extends "nginx.conf.j2" %}
{% block http %}
upstream web {
{% for backend in backends.web %}
    server {{ backend.endpoint }}; # {{ backend.id }}
{% else %}
    server 127.0.0.1:65535 down;
{% endfor %}
}
server { listen 80; location / { add_header X-Own yes; add_header X-Stackctl-Upstream $stackctl_upstream always;
    proxy_pass http://web; } }
{% endblock %}
"""


def test_own_template(scenario: Scenario) -> None:
    """It takes the place of stackctl's own and is proven as well; a broken one is refused with its line."""
    template = scenario.folder / "my.conf.j2"
    template.write_text(OWN)
    spec = scenario.spec.read_text().replace("servers: 3", "servers: 1")
    scenario.spec.write_text(spec.replace(f"http: {scenario.port}", f"http: {scenario.port}\n  template: my.conf.j2"))
    scenario.stackctl("up", timeout=600)
    with urllib.request.urlopen(scenario.url, timeout=5) as response:
        assert response.headers["X-Own"] == "yes"
    template.write_text(BROKEN)
    assert f"{template}:3:1: balancer.template: 'nosuch' is undefined" in scenario.stackctl("up", code=2).stderr
    template.write_text(OWN.replace("location /", "locution /"))
    before = scenario.container("lb").attrs["State"]["StartedAt"]
    refused = scenario.stackctl("up", code=3)
    assert 'unknown directive "locution"' in refused.stdout and "locution / { add_header" in refused.stdout
    with urllib.request.urlopen(scenario.url, timeout=5) as response:
        assert response.headers["X-Own"] == "yes", "the running config stays"
    template.write_text(OWN.replace("X-Own yes", "X-Own better"))
    assert "configure" in scenario.stackctl("plan").stdout
    scenario.stackctl("up")
    with urllib.request.urlopen(scenario.url, timeout=5) as response:
        assert response.headers["X-Own"] == "better"
    assert scenario.container("lb").attrs["State"]["StartedAt"] == before
    assert scenario.stackctl("plan").stdout.strip() == "nothing to do"


def test_fixed_list(scenario: Scenario) -> None:
    """What is scaled beside a fixed list differs at the registry, says why at once, and stops nobody."""
    scenario.spec.write_text(
        f"name: {scenario.name}\nregistry: {{static: {{}}}}\nbalancer: {{http: {scenario.port}}}\n"
        "services:\n  web: {image: whoami, port: 80, replicas: 3, route: /}\n"
    )
    scenario.stackctl("up", timeout=600)
    for _ in range(2):
        grown = scenario.stackctl("scale", "web=4", "--format", "json", code=3)
        found = grown.json["services"][0]["first_divergence"]
        assert (found["layer"], found["missing"]) == ("registry", [scenario.id("web", 4)])
        assert "nobody watches" in found["reason"]
        assert grown.seconds < 60
    shrunk = scenario.stackctl("scale", "web=2", code=3)
    assert "the list of instances is fixed" in shrunk.stderr
    assert len(scenario.instances("web")) == 4
    logs = json.dumps([scenario.container("web", n).logs(tail=5).decode() for n in (1, 2, 3)])
    assert "Traceback" not in logs
    with socket.create_connection(("127.0.0.1", scenario.port), 2):
        pass


def test_other_files(scenario: Scenario) -> None:
    """The balancer's agent keeps files of other kinds in step with catalog and keys; a refused one leaves the last."""
    (scenario.folder / "hosts.j2").write_text(
        "{% for service, members in services.items() %}{% for member in members %}\n"
        "{{ member.endpoint.address }} {{ service }}\n{% endfor %}{% endfor %}\n"
        "motd {{ keys['app/motd'] | default('none') }}\n"
    )
    files = (
        "{src: hosts.j2, dest: hosts, check: '! grep -q forbidden {file}', reload: 'touch {file}.seen', keys: [app/]}"
    )
    spec = scenario.spec.read_text().replace("servers: 3", "servers: 1")
    spec = spec.replace(f"http: {scenario.port}", f"http: {scenario.port}\n  files: [{files}]")
    scenario.spec.write_text(spec.replace("replicas: 1", 'replicas: 1\n    compose: {volumes: ["files:/files:ro"]}'))
    scenario.stackctl("up", timeout=600)

    def seen() -> str:
        return scenario.inside("web", "cat", "/files/hosts")

    networks = scenario.container("web").attrs["NetworkSettings"]["Networks"]
    address = networks[f"{scenario.name}_default"]["IPAddress"]
    eventually(lambda: f"{address} web" in seen(), "the instance in the file")
    scenario.consul("PUT", "/v1/kv/app/motd", "hello")
    eventually(lambda: 'motd "hello"' in seen(), "the key in the file")
    scenario.consul("PUT", "/v1/kv/app/motd", "forbidden")
    health = ("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8090; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3")
    eventually(lambda: "ended with 1" in scenario.inside("lb", *health), "the agent to tell of the refused file")
    assert 'motd "hello"' in seen()
    assert scenario.inside("lb", "ls", "/run/stackctl/files").split() == ["hosts", "hosts.seen"]
