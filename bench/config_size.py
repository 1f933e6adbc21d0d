"""What one balancer takes for a config of many servers: each step timed in a container of the balancer's own image."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bench.running import DOCKER, run
from stackctl.app.lab import own_image
from stackctl.engine.images import ensure

SIZES = (10, 60, 500, 5000)

# In the image, beside the agent's own code. A service of that many instances, changed in each round.
SCRIPT = """
import asyncio, json, os, subprocess, sys, time
from pathlib import Path
from stackctl.agents.balancer import render_config, template_of
from stackctl.agents.nginx import Nginx
from stackctl.domain.balancer import Backend, BalancerSettings, RoutedService, Target, backends
from stackctl.domain.catalog import servable
from stackctl.domain.instance import Endpoint
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.route import Route
from stackctl.errors import StackctlError
from stackctl.registry import consul_json

count, rounds = int(sys.argv[1]), int(sys.argv[2])
settings = BalancerSettings("size", "localhost", False, 0.5, 3600.0, RegistrySettings("consul"),
                            (RoutedService("web", "web", Route("path", "/")),))

def entry(number):
    # As Consul 1.8 answers, with what it says of an instance of stackctl's.
    id, node = f"size-node-{number % 100:03}-web-{number // 100 + 1}", f"node-{number % 100:03}"
    base = {"Node": node, "Notes": "", "Type": "", "Definition": {}, "CreateIndex": 1000 + number,
            "ModifyIndex": 1000 + number, "Output": "", "ServiceTags": []}
    return {
        "Node": {"ID": "8e4e5a5c-0b6f-4a5b-9d9b-5d0b3f6f1a2b", "Node": node, "Address": "192.0.2.9",
                 "Datacenter": "dc1", "TaggedAddresses": {"lan": "192.0.2.9", "lan_ipv4": "192.0.2.9",
                 "wan": "192.0.2.9", "wan_ipv4": "192.0.2.9"}, "Meta": {"consul-network-segment": ""},
                 "CreateIndex": 10, "ModifyIndex": 12},
        "Service": {"ID": f"{id}:80", "Service": "web", "Tags": [],
                    "Address": f"10.0.{number // 256}.{number % 256}",
                    "TaggedAddresses": {"lan_ipv4": {"Address": "10.0.0.9", "Port": 80},
                                        "wan_ipv4": {"Address": "10.0.0.9", "Port": 80}},
                    "Meta": {"stackctl-owner": f"size/{node}", "stackctl-instance": id, "stackctl-check": "x" * 120},
                    "Port": 80, "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False, "Proxy":
                    {"MeshGateway": {}, "Expose": {}}, "Connect": {}, "CreateIndex": 1000, "ModifyIndex": 1000},
        "Checks": [{**base, "CheckID": "serfHealth", "Name": "Serf Health Status", "Status": "passing",
                    "Output": "Agent alive and reachable", "ServiceID": "", "ServiceName": ""},
                   {**base, "CheckID": f"service:{id}", "Name": "Service 'web' check", "Status": "passing", "Output":
                    "HTTP GET http://10.0.0.9:80/healthz: 200 OK Output: ok", "Type": "http",
                    "ServiceID": f"{id}:80", "ServiceName": "web"}],
    }

def resident():
    pages = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if "nginx" in (status.parent / "cmdline").read_text():
                pages += int(status.read_text().partition("VmRSS:")[2].split()[0])
        except (OSError, IndexError):
            pass
    return pages * 1024

async def main():
    nginx, template = Nginx(), template_of(settings.template)
    nginx.write_first(render_config(template, settings, Target(settings.services, {"web": ()}), nginx), Target())
    process = subprocess.Popen(["nginx", "-c", str(nginx.config), "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    while not (nginx.run / "nginx.pid").exists():
        time.sleep(0.01)
    told = {"answer": [], "parse": [], "render": [], "test": [], "apply": [], "config": [], "nginx": []}
    for number in range(rounds):
        answer = json.dumps([entry(n) for n in range(count) if n != number])
        began = time.monotonic()
        members = backends(servable(consul_json.catalog("web", json.loads(answer), 7).entries))
        parsed = time.monotonic()
        target = Target(settings.services, {"web": members})
        rendered = render_config(template, settings, target, nginx)
        written = time.monotonic()
        try:
            await nginx.test(rendered)
            tested = time.monotonic()
            await nginx.apply(rendered, target)
        except StackctlError as error:
            print(json.dumps({"refused": error.message[:300]}))
            break
        told["answer"].append(len(answer))
        told["parse"].append(parsed - began)
        told["render"].append(written - parsed)
        told["test"].append(tested - written)
        told["apply"].append(time.monotonic() - tested)
        told["config"].append(len(rendered.text))
        told["nginx"].append(resident())
    else:
        print(json.dumps(told))
    process.terminate()

asyncio.run(main())
"""


async def config_size(rounds: int) -> dict[str, dict[str, Any]]:
    """By the number of servers: bytes and seconds, a value for each round; or by which words nginx refused it."""
    build, found = own_image("balancer"), {}
    await asyncio.to_thread(ensure, [build], "auto", lambda _, __: None)
    for size in SIZES:
        words = ("run", "--rm", "--network", "none", "--entrypoint", "python3", build.tag, "-c", SCRIPT)
        done = await run(DOCKER, *words, str(size), str(rounds))
        found[str(size)] = json.loads(done.out.splitlines()[-1])
    return found
