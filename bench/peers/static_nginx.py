"""Plain Compose: nginx with `server web:80`, looked up when nginx loads its config. Nothing tells it of changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.asking import Watch, first_answer
from bench.peers.compose import Peer, project
from bench.ports import free_port
from bench.running import PREFIX, Engine, Failed

CONFIG = """\
events {}
http {
  access_log off;
  upstream web { server web:80; }
  server { listen 80; location / { proxy_pass http://web; } }
}
"""


class StaticNginx(Peer):
    """nginx that is reloaded by hand after scaling up, and by nobody after scaling down."""

    name = "plain Compose, static nginx"
    leaves = "never, without a reload by hand"
    # It forgets after 10 s that an instance refused, and asks it again: by then the address hangs.
    aftermath = 12.0

    def watch(self) -> Watch:
        raise Failed("a static config does not change")

    def gone(self, seen: str, before: str, address: str) -> bool:  # noqa: ARG002
        return False

    async def scale(self, replicas: int) -> None:
        more = replicas > len(self.engine.all_of_service(self.project, "web"))
        await super().scale(replicas)
        if more:
            await self.made.compose("exec", "lb", "nginx", "-s", "reload")

    async def replace(self) -> None:
        await super().replace()
        await self.made.compose("exec", "lb", "nginx", "-s", "reload")


@asynccontextmanager
async def static_nginx(engine: Engine, whoami: str, nginx: str) -> AsyncIterator[StaticNginx]:
    """nginx and one instance of the sample app, in these images."""
    entry = free_port()
    services = {
        "web": {"image": whoami},
        "lb": {
            "image": nginx,
            "user": "0:0",
            "entrypoint": ["nginx", "-c", "/peer/nginx.conf", "-g", "daemon off;"],
            "volumes": ["./:/peer:ro"],
            "ports": [f"{entry}:80"],
            "depends_on": ["web"],
        },
    }
    async with project({"name": f"{PREFIX}-static", "services": services}, {"nginx.conf": CONFIG}) as made:
        await first_answer(entry, str(engine.of_service(made.name, "web").id))
        yield StaticNginx(engine, made, entry)
