"""The engine `swarm`: one stack's services in a Swarm, told to and observed through one of its managers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.subnet import Subnet
from stackctl.domain.swarm import SwarmNode, SwarmService, Trouble
from stackctl.engine import swarm_down, swarm_images, swarm_json
from stackctl.engine.client import at_home
from stackctl.engine.commands import lines_of, run
from stackctl.engine.container_json import seconds
from stackctl.engine.inside import Inside
from stackctl.engine.swarm_manager import STACK, Manager
from stackctl.engine.swarm_shared import make_network, make_token, tidy
from stackctl.errors import SpecError, StackctlError
from stackctl.ports import Progress

BUILD_FILE = "build.yaml"
DEPLOY = ("stack", "deploy", "--resolve-image", "never", "--detach=true")
DOOR = ("python3", "-m", "stackctl.agents.door")


class SwarmEngine:
    """One stack's services. Makes no decision: it does what it is told, and says what failed."""

    def __init__(self, stack: str, network: str, file: Path, subnet: Subnet | None = None) -> None:
        self.stack = stack
        self.network = network
        self.file = file
        self.subnet = subnet
        self._manager = Manager(stack)

    # --- what there is -----------------------------------------------------------------------------------------

    def observe(self) -> EngineState:
        """Every task of the stack, on every node; nodes that the managers do not hear of are told as unreachable."""
        nodes, services = self.nodes(), self.services()
        manager = self._manager
        networks = manager.call(lambda: manager.api.networks(filters=manager.own))
        found = tuple(swarm_json.instances(manager.tasks(), services, nodes, self.network))
        busy = {instance.node for instance in found}
        members = [node for node in nodes if node.availability != "drain"]
        return EngineState(
            tuple(sorted(found, key=lambda instance: instance.id)),
            tuple(sorted(raw["Name"] for raw in networks)),
            # A paused node gets nothing new: where it has nothing of the stack, nobody is there who could be asked.
            nodes=tuple(node.hostname for node in members if node.availability == "active" or node.hostname in busy),
            unreachable={
                node.hostname: f"the Swarm calls it {node.state}" for node in members if node.state != "ready"
            },
        )

    def nodes(self) -> tuple[SwarmNode, ...]:
        """The members of the Swarm."""
        return self._manager.nodes()

    def services(self) -> tuple[SwarmService, ...]:
        """The stack's services."""
        return self._manager.services()

    def troubles(self, workload: str) -> tuple[Trouble, ...]:
        """The tasks of a workload that ended badly or can't begin, the oldest first."""
        known, nodes = {service.id: service for service in self.services()}, {node.id: node for node in self.nodes()}
        found = []
        for raw in self._manager.tasks():
            service, reason = known.get(raw["ServiceID"]), swarm_json.trouble(raw)
            if service and service.workload == workload and reason:
                task = swarm_json.instance(raw, service, nodes.get(raw.get("NodeID", "")), self.network)
                found.append(Trouble(task, seconds(raw["Status"]["Timestamp"]), reason))
        return tuple(sorted(found, key=lambda trouble: trouble.at))

    def holder(self, port: int) -> str:
        """Another service of the Swarm that publishes this port."""
        for raw in self._manager.call(self._manager.api.services):
            ports = (
                (raw.get("Endpoint") or {}).get("Ports") or (raw["Spec"].get("EndpointSpec") or {}).get("Ports") or ()
            )
            if raw["Spec"]["Labels"].get(STACK) != self.stack and any(p.get("PublishedPort") == port for p in ports):
                return f"the service {raw['Spec']['Name']}"
        return ""

    # --- images ------------------------------------------------------------------------------------------------

    def has_images(self, tags: Iterable[str]) -> set[str]:
        """Those that every node has on which tasks can be placed."""
        return swarm_images.present(tags, self._receivers())

    def send_images(self, tags: Iterable[str], progress: Progress) -> None:
        """From this machine's engine to the nodes that lack them; the rest the nodes pull."""
        swarm_images.send(tags, self._receivers(), progress.step)

    def build(self, service: str) -> None:
        """On this machine's engine, from where it is sent."""
        file = self.file.with_name(BUILD_FILE)
        with at_home():
            run("image-build-failed", ("compose", "--file", str(file), "build", "--quiet", service), str(file))

    def _receivers(self) -> list[swarm_images.Node]:
        return [swarm_images.reached(node) for node in self.nodes() if node.usable]

    # --- what is done ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Ask the command whether it accepts the stack's file; raises `SpecError` with its words."""
        try:
            run("stack-refused", ("stack", "config", "--compose-file", str(self.file)), str(self.file))
        except StackctlError as error:
            raise SpecError((), id="stack-refused", hint=error.message) from error

    def label(self, node: str, label: str) -> None:
        """Give a node, by its host name, a label that it keeps; what it has stays."""
        manager = self._manager
        for raw in manager.call(lambda: manager.api.nodes(filters={"name": node})):
            if raw["Description"]["Hostname"] == node:  # the filter takes whatever begins so
                manager.change_node(raw, {**(raw["Spec"].get("Labels") or {}), label: "true"})

    def deploy(self, file: Path, *, prune: bool) -> None:
        """Let the services be what a stack file says; with `prune` those that it does not name go."""
        make_token(self._manager)
        if self.subnet:
            make_network(self._manager, self.network, self.subnet)
        words = (*DEPLOY, *(["--prune"] if prune else []), "--compose-file", str(file), self.stack)
        run("launch-failed", words, str(file))
        tidy(self._manager)

    def scale(self, replicas: Mapping[str, int]) -> None:
        """Change how many tasks services have, and nothing else."""
        counts = (f"{self.stack}_{workload}={count}" for workload, count in replicas.items())
        run("scale-failed", ("service", "scale", "--detach", *counts), self.stack)

    def replace(self, workload: str) -> None:
        """Replace every task of a service, although its definition is the same."""
        name = f"{self.stack}_{workload}"
        run("update-failed", ("service", "update", "--force", "--detach", "--no-resolve-image", name), name)

    def write_again(self, workload: str) -> None:
        """Write a service as it is, so that the Swarm looks at its tasks; none that it wants is replaced."""
        name = f"{self.stack}_{workload}"
        run("update-failed", ("service", "update", "--detach", "--no-resolve-image", name), name)

    def rollback(self, workload: str) -> None:
        """Back to what a service was before its last update."""
        name = f"{self.stack}_{workload}"
        run("rollback-failed", ("service", "rollback", "--detach", name), name)

    def down(self, *, volumes: bool) -> None:
        """Remove the services, configs, secrets and networks; volumes, on every node that answers, only where asked."""
        swarm_down.down(self._manager, volumes=volumes)

    def logs(self, services: Iterable[str], *, tail: str, follow: bool) -> Iterator[str]:
        """The tasks' output, line by line, wherever they run."""
        wanted = set(services)
        names = [s.name for s in self.services() if not wanted or s.workload in wanted]
        options = ("--tail", tail, "--no-trunc", *(["--follow"] if follow else []))
        return lines_of([("service", "logs", *options, name) for name in sorted(names)])

    def last_words(self, instance: Instance, lines: int) -> str:
        """The end of what a task printed."""
        task = instance.id.rpartition(".")[2]
        return "\n".join(lines_of([("service", "logs", "--raw", "--tail", str(lines), task)])).rstrip()

    # --- who is asked ------------------------------------------------------------------------------------------

    def inside(self, instance: Instance) -> Inside:
        """A conversation with the probe beside a task, on whatever node: through the registrator of this manager's
        node, over the stack's own network. Raises `StackctlError` where none runs there."""
        tasks, id = self._manager.tasks(), instance.id.rpartition(".")[2]
        address = next((swarm_json.address(task, self.network) for task in tasks if task["ID"] == id), "")
        own = [
            swarm_json.container_id(task)
            for task in tasks
            if task.get("NodeID") == self._manager.node
            and task["Status"]["State"] == "running"
            and task["Spec"]["ContainerSpec"]["Labels"].get("stackctl.role") == "registrator"
        ]
        if not address or not own:
            missing = f"{instance.id} has no address" if own else "no registrator runs on the manager's own node"
            hint = "choose a manager that takes tasks: `docker node ls`, `docker context use`"
            raise StackctlError("inside-unreachable", missing, where=instance.node, hint=hint)
        return Inside(own[0], command=(*DOOR, address))

    def address(self, instance: Instance) -> str:
        """The node's address in the Swarm."""
        found = [node.address for node in self.nodes() if node.hostname == instance.node]
        return found[0] if found else ""
