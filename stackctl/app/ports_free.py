"""Whether the ports that a stack publishes can be had on this machine, asked before anything is started."""

from __future__ import annotations

import errno
import socket

from stackctl.app.project import Project
from stackctl.domain.instance import EngineState
from stackctl.domain.stack import ConsulRegistry
from stackctl.engine.client import engine_address
from stackctl.engine.observe import publishers
from stackctl.errors import StackctlError
from stackctl.planning.entry import entries
from stackctl.rendering.nginx import TLS_PORT

HERE = "127.0.0.1"
KEYS = {80: "balancer.http", 443: "balancer.https", TLS_PORT: "balancer.tls"}  # by the port inside


def check_ports(project: Project, seen: EngineState) -> None:
    """Raises `StackctlError` (`port-taken`) naming the port and, where it is a container, who holds it."""
    own = {port for instance in seen.instances for port in instance.published}
    names = {instance.id for instance in seen.instances}
    wanted = {
        port: KEYS.get(entry.container, f"a route tcp:{entry.host}")
        for entry in entries(project.stack)
        for port in range(entry.host, entry.host + entry.span)
    }
    registry = project.stack.registry
    if isinstance(registry, ConsulRegistry) and registry.ui:
        wanted[registry.ui] = "registry.consul.ui"
    client = project.engine.client
    for port, key in wanted.items():
        if port in own:
            continue
        holders = [name for name in publishers(client, port) if name not in names]
        if holders or (engine_address() == HERE and _taken(port)):
            holder = f"the container {holders[0]}" if holders else "another process on this machine"
            raise StackctlError(
                "port-taken",
                f"port {port} is taken by {holder}",
                where=f"{project.stack.origin}: {key}",
                hint=f"choose another {key} in the spec, or stop {holder}; nothing was started",
            )


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
