"""consul-template and nginx behind the same Consul and the same registrator as ours: their half against our half.

consul-template is built by the Go on this machine, through the Go module proxy. The registrator of that trio can't be
built so any more (see docs/benchmarks.md), so that instances come into Consul as fast as they do for stackctl.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ruamel.yaml import YAML

from bench.asking import Watch, first_answer
from bench.ours import stack
from bench.peers.compose import TOOLS, Peer, project
from bench.running import Engine, Failed, Missing, run
from bench.system import Part

MODULE = "github.com/hashicorp/consul-template@v0.41.1"
# Every line of it is what its README and nginx's beginner's guide give; /backends tells what the running nginx has.
TEMPLATE = """\
events {}
http {
  access_log off;
  upstream web {
    {{ range service "http" }}server {{ .Address }}:{{ .Port }};
    {{ else }}server 127.0.0.1:65535;{{ end }}
  }
  server {
    listen 80;
    location / { proxy_pass http://web; }
    location = /backends { return 200 "{{ range service "http" }}{{ .Address }}:{{ .Port }} {{ end }}"; }
  }
}
"""
START = """\
echo 'events {} http { server { listen 80; return 503; } }' >/etc/nginx/nginx.conf
nginx
exec consul-template -consul-addr consul-agent:8500 \\
    -template '/peer/nginx.conf.ctmpl:/etc/nginx/nginx.conf:nginx -s reload'
"""


class ConsulTemplate(Peer):
    """Our rendered stack with the balancer replaced."""

    name = "consul-template + nginx"
    leaves = "a list in the running nginx's config, over fresh connections"
    parts = (Part("consul-template", "lb", "consul-template"),)

    def watch(self) -> Watch:
        return Watch(self.entry, "/backends")


@asynccontextmanager
async def consul_template(engine: Engine) -> AsyncIterator[ConsulTemplate]:
    """Our rendered stack, up, with consul-template instead of the balancer's agent."""
    program = await binary()
    async with stack("template") as ours:
        model = YAML(typ="safe").load(await ours.render())
        for service in model["services"].values():
            service.pop("build", None)
        model["services"]["lb"] = {
            "image": model["services"]["lb"]["image"],
            "user": "0:0",
            "entrypoint": ["sh", "/peer/start.sh"],
            "volumes": [f"{program}:/usr/bin/consul-template:ro", "./:/peer:ro"],
            "ports": [f"{ours.entry}:80"],
        }
        async with project(model, {"nginx.conf.ctmpl": TEMPLATE, "start.sh": START}) as made:
            await first_answer(ours.entry, str(engine.of_service(made.name, "web").id))
            yield ConsulTemplate(engine, made, ours.entry)


async def binary() -> Path:
    """consul-template, built here; raises `Missing`."""
    path = TOOLS / "consul-template"
    if not path.exists():
        if not shutil.which("go"):
            raise Missing("there is no Go here to build consul-template")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            await run("go", "install", MODULE, env={"GOBIN": str(path.parent), "CGO_ENABLED": "0"})
        except Failed as error:
            raise Missing(f"{MODULE} can't be built: {error}") from error
    return path
