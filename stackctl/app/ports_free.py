"""Whether the ports that a stack publishes can be had where it runs, asked before anything is started."""

from __future__ import annotations

from stackctl.app.project import Project
from stackctl.domain.instance import EngineState
from stackctl.domain.stack import ConsulRegistry
from stackctl.errors import StackctlError
from stackctl.planning.entry import entries
from stackctl.planning.hosts import consul_ports
from stackctl.rendering.nginx import TLS_PORT

KEYS = {80: "balancer.http", 443: "balancer.https", TLS_PORT: "balancer.tls"}  # by the port inside


def check_ports(project: Project, seen: EngineState) -> None:
    """Raises `StackctlError` (`port-taken`) naming the port and, where it is a container, who holds it."""
    own = {port for instance in seen.instances for port in instance.published}
    wanted = {
        port: KEYS.get(entry.container, f"a route tcp:{entry.host}")
        for entry in entries(project.stack)
        for port in range(entry.host, entry.host + entry.span)
    }
    registry = project.stack.registry
    if isinstance(registry, ConsulRegistry) and registry.ui and project.stack.engine != "swarm":
        wanted[registry.ui] = "registry.consul.ui"
    wanted |= dict.fromkeys(consul_ports(project.stack), "registry.consul.port")
    for port, key in wanted.items():
        holder = "" if port in own else project.engine.holder(port)
        if holder:
            raise StackctlError(
                "port-taken",
                f"port {port} is taken by {holder}",
                where=f"{project.stack.origin}: {key}",
                hint=f"choose another {key} in the spec, or stop {holder}; nothing was started",
            )
