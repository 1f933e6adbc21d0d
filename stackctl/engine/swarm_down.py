"""Taking a stack out of a Swarm: instances first, then everything else, and volumes on every node where asked."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from stackctl.engine.commands import run
from stackctl.engine.swarm_manager import STACK, Manager
from stackctl.errors import StackctlError

PACE = 0.3  # seconds between two looks: a Swarm announces nothing to the outside
ENDING = 25.0  # seconds for instances to end while their registrators are there; later these go too
ENDED = 60.0  # seconds for everything else
SWEEP = 60.0  # seconds for every node to remove its volumes
ROLES = ("service", "balancer", "registrator", "consul")
JOB = ("--mode", "global-job", "--restart-condition", "none", "--no-resolve-image", "--detach", "--quiet")
SOCKET = "type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock"


def down(manager: Manager, *, volumes: bool) -> None:
    """Remove the services, configs, secrets and networks; volumes and labels of nodes only where asked.

    Returns when the tasks have ended.
    """
    registrators = [service for service in manager.services() if service.workload == "registrator"]
    _end_instances(manager)
    run("down-failed", ("stack", "rm", manager.stack), manager.stack)
    # Not `--detach=false`, which also waits for the tasks of nodes that nobody hears of.
    _until_ended(manager, ENDED, ROLES)
    if volumes:
        for service in registrators:
            _sweep(manager, service.image)
        _unlabel(manager)


def _end_instances(manager: Manager) -> None:
    """The instances first, while registrators are there to end them: without, each would wait for its grace."""
    services = (raw["Spec"] for raw in manager.raw_services())
    if names := [spec["Name"] for spec in services if spec["Labels"].get("stackctl.role") == "service"]:
        run("down-failed", ("service", "rm", *names), manager.stack)
    _until_ended(manager, ENDING, ("service",))


def _until_ended(manager: Manager, patience: float, roles: Collection[str]) -> None:
    """Until no task of these roles runs on a node that is there, or the patience is over."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        there = {node.id for node in manager.nodes() if node.state == "ready"}
        running = (raw for raw in manager.tasks() if raw["Status"]["State"] in ("starting", "running"))
        labels = [raw["Spec"]["ContainerSpec"].get("Labels") or {} for raw in running if raw.get("NodeID") in there]
        if not any(own.get("stackctl.role") in roles for own in labels):
            return
        time.sleep(PACE)


def _sweep(manager: Manager, image: str) -> None:
    """A job on every node, because only a node's own engine knows of its volumes."""
    name = f"{manager.stack}_sweep"
    words = (*JOB, "--name", name, "--label", f"{STACK}={manager.stack}", "--mount", SOCKET)
    command = ("--entrypoint", "python3", image, "-m", "stackctl.agents.sweep", manager.stack)
    run("volumes-not-removed", ("service", "create", *words, *command), name)
    try:
        _await_job(manager, name)
    finally:
        run("volumes-not-removed", ("service", "rm", name), name)


def _await_job(manager: Manager, name: str) -> None:
    deadline = time.monotonic() + SWEEP
    there = {node.id: node.hostname for node in manager.nodes() if node.usable}
    while True:
        tasks = manager.call(lambda: manager.api.tasks(filters={"service": name}))
        states = {raw.get("NodeID"): raw["Status"]["State"] for raw in tasks}
        late = sorted(host for id, host in there.items() if states.get(id) != "complete")
        if not late:
            return
        if time.monotonic() > deadline or any(states.get(id) in ("failed", "rejected") for id in there):
            message = f"volumes of {manager.stack} are left on {', '.join(late)}"
            hint = f"there: docker volume rm $(docker volume ls -qf label={STACK}={manager.stack})"
            raise StackctlError("volumes-not-removed", message, where=", ".join(late), hint=hint)
        time.sleep(PACE)


def _unlabel(manager: Manager) -> None:
    for raw in manager.call(manager.api.nodes):
        labels: Mapping[str, str] = raw["Spec"].get("Labels") or {}
        kept = {name: value for name, value in labels.items() if not name.startswith(f"stackctl.{manager.stack}.")}
        if kept != labels:
            manager.change_node(raw, kept)
