"""Which engine runs a stack, and which rendered files it is told by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stackctl.domain.host import Host
from stackctl.domain.stack import ConsulRegistry, Stack
from stackctl.domain.subnet import Subnet
from stackctl.errors import UsageError
from stackctl.planning import hosts
from stackctl.planning.placement import project
from stackctl.planning.topology import network
from stackctl.ports import Engine

MANIFEST = "manifest.json"


def open_engine(stack: Stack, folder: Path) -> Engine:
    """The stack's engine; its rendered files are in `folder`. Raises `Unreachable` where none answers."""
    # Each is imported where it is used: the Docker SDK is what `validate` and others never pay for.
    if stack.engine == "compose":
        from stackctl.engine.compose import ComposeEngine

        return ComposeEngine(stack.name, network(stack.name), folder / compose_file(stack))
    if stack.engine == "hosts":
        from stackctl.engine.hosts import HostsEngine, Machine

        services = {service.name: hosts.nodes(stack, service) for service in stack.services}
        return HostsEngine(
            stack.name,
            [
                Machine(
                    host,
                    project(stack.name, host.name),
                    network(project(stack.name, host.name)),
                    folder / compose_file(stack, host.name),
                    tuple(name for name, nodes in services.items() if host.name in nodes),
                )
                for host in map(_known, stack.hosts)
            ],
        )
    from stackctl.engine.swarm import SwarmEngine

    chosen = stack.registry.subnet if isinstance(stack.registry, ConsulRegistry) else ""
    subnet = Subnet(chosen) if chosen else None
    return SwarmEngine(stack.name, network(stack.name), folder / compose_file(stack), subnet)


def _known(host: Host) -> Host:
    """With its address, where that can be found: a machine that is gone must not keep `down` from the others."""
    from stackctl.engine.located import located as host_located

    try:
        return host_located(host)
    except UsageError:
        return host


def located(stack: Stack) -> Stack:
    """The stack with the address of each of its hosts; raises `UsageError` for one that has none."""
    if stack.engine != "hosts":
        return stack
    from stackctl.engine.located import located as host_located

    return replace(stack, hosts=tuple(map(host_located, stack.hosts)))


def launched_files(stack: Stack) -> tuple[str, ...]:
    """What a launch is told by, in the stack's folder; the manifest is the last one."""
    names = [host.name for host in stack.hosts] if stack.engine == "hosts" else [""]
    return (*(compose_file(stack, name) for name in names), MANIFEST)


def compose_file(stack: Stack, host: str = "") -> str:
    """The Compose file, of one host where there are several; of a Swarm it is the stack file."""
    return f"hosts/{host}/compose.yaml" if stack.engine == "hosts" else "compose.yaml"
