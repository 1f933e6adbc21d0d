"""The engine `swarm`: one stack's services in a Swarm, told to and observed through one of its managers."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import docker
import docker.errors
import requests.exceptions

from stackctl.domain.instance import EngineState, Instance
from stackctl.domain.swarm import SwarmNode, SwarmService, Trouble
from stackctl.engine import swarm_images, swarm_json
from stackctl.engine.client import at_home, connect
from stackctl.engine.commands import lines_of, run
from stackctl.engine.container_json import seconds
from stackctl.engine.inside import Inside
from stackctl.errors import SpecError, StackctlError, Unreachable, UsageError
from stackctl.ports import Progress

STACK = "stackctl.stack"
BUILD_FILE = "build.yaml"
NAMESPACE = "com.docker.stack.namespace"  # by which `docker stack` knows what is a stack's
DEPLOY = ("stack", "deploy", "--resolve-image", "never", "--detach=true")
SWEEP = 60.0  # seconds for every node to remove its volumes
PACE = 0.3
ENDING = 10.0  # seconds for instances to end while their registrators are there; later these go too
ENDED = 60.0  # seconds for everything else
ROLES = ("service", "balancer", "registrator", "consul")
DOOR = ("python3", "-m", "stackctl.agents.door")

T = TypeVar("T")


class SwarmEngine:
    """One stack's services. Makes no decision: it does what it is told, and says what failed."""

    def __init__(self, stack: str, network: str, file: Path) -> None:
        self.stack = stack
        self.network = network
        self.file = file
        self.client = connect()
        self._api: Any = self.client.api
        self._node = self._own_node()

    # --- what there is -----------------------------------------------------------------------------------------

    def observe(self) -> EngineState:
        """Every task of the stack, on every node; nodes that the managers do not hear of are told as unreachable."""
        nodes, services = self.nodes(), self.services()
        networks = self._call(lambda: self._api.networks(filters=self._own))
        found = swarm_json.instances(self._tasks(), services, nodes, self.network)
        members = [node for node in nodes if node.availability != "drain"]
        return EngineState(
            tuple(sorted(found, key=lambda instance: instance.id)),
            tuple(sorted(raw["Name"] for raw in networks)),
            nodes=tuple(node.hostname for node in members),
            unreachable={
                node.hostname: f"the Swarm calls it {node.state}" for node in members if node.state != "ready"
            },
        )

    def nodes(self) -> tuple[SwarmNode, ...]:
        """The members of the Swarm."""
        return tuple(map(swarm_json.node, self._call(self._api.nodes)))

    def services(self) -> tuple[SwarmService, ...]:
        """The stack's services."""
        return tuple(map(swarm_json.service, self._call(lambda: self._api.services(filters=self._own))))

    def troubles(self, workload: str) -> tuple[Trouble, ...]:
        """The tasks of a workload that ended badly or can't begin, the oldest first."""
        names, nodes = {service.id: service for service in self.services()}, {node.id: node for node in self.nodes()}
        found = []
        for raw in self._tasks():
            service, reason = names.get(raw["ServiceID"]), swarm_json.trouble(raw)
            if service and service.workload == workload and reason:
                task = swarm_json.instance(raw, service.name, nodes.get(raw.get("NodeID", "")), self.network)
                found.append(Trouble(task, seconds(raw["Status"]["Timestamp"]), reason))
        return tuple(sorted(found, key=lambda trouble: trouble.at))

    def holder(self, port: int) -> str:
        """Another service of the Swarm that publishes this port."""
        for raw in self._call(self._api.services):
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
        for raw in self._call(lambda: self._api.nodes(filters={"name": node})):
            labels = {**(raw["Spec"].get("Labels") or {}), label: "true"}
            if raw["Description"]["Hostname"] == node:  # the filter takes whatever begins so
                self._change(raw, {**raw["Spec"], "Labels": labels})

    def _change(self, raw: Any, spec: Any) -> None:
        self._call(lambda: self._api.update_node(raw["ID"], raw["Version"]["Index"], spec))

    def deploy(self, file: Path, *, prune: bool) -> None:
        """Let the services be what a stack file says; with `prune` those that it does not name go."""
        self._token()
        words = (*DEPLOY, *(["--prune"] if prune else []), "--compose-file", str(file), self.stack)
        run("launch-failed", words, str(file))
        self._tidy()

    def scale(self, replicas: Mapping[str, int]) -> None:
        """Change how many tasks services have, and nothing else."""
        counts = (f"{self.stack}_{workload}={count}" for workload, count in replicas.items())
        run("scale-failed", ("service", "scale", "--detach", *counts), self.stack)

    def replace(self, workload: str) -> None:
        """Replace every task of a service, although its definition is the same."""
        name = f"{self.stack}_{workload}"
        run("update-failed", ("service", "update", "--force", "--detach", "--no-resolve-image", name), name)

    def rollback(self, workload: str) -> None:
        """Back to what a service was before its last update."""
        name = f"{self.stack}_{workload}"
        run("rollback-failed", ("service", "rollback", "--detach", name), name)

    def down(self, *, volumes: bool) -> None:
        """Remove the services, configs, secrets and networks; volumes, on every node that answers, only where asked.

        Returns when the tasks have ended."""
        registrators = [service for service in self.services() if service.workload == "registrator"]
        self._end_instances()
        run("down-failed", ("stack", "rm", self.stack), self.stack)
        # Not `--detach=false`, which also waits for the tasks of nodes that nobody hears of.
        self._until_ended(ENDED, ROLES)
        if volumes:
            for service in registrators:
                self._sweep(service.image)
            self._unlabel()

    def _end_instances(self) -> None:
        """The instances first, while registrators are there to end them: without, each would wait for its grace."""
        names = [
            raw["Spec"]["Name"]
            for raw in self._call(lambda: self._api.services(filters=self._own))
            if raw["Spec"]["Labels"].get("stackctl.role") == "service"
        ]
        if names:
            run("down-failed", ("service", "rm", *names), self.stack)
        self._until_ended(ENDING, ("service",))

    def _until_ended(self, patience: float, roles: Collection[str]) -> None:
        """Until no task of these roles runs on a node that is there, or the patience is over."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            there = {node.id for node in self.nodes() if node.state == "ready"}
            running = (raw for raw in self._tasks() if raw["Status"]["State"] in ("starting", "running"))
            labels = [raw["Spec"]["ContainerSpec"].get("Labels") or {} for raw in running if raw.get("NodeID") in there]
            if not any(own.get("stackctl.role") in roles for own in labels):
                return
            time.sleep(PACE)

    def _sweep(self, image: str) -> None:
        """A job on every node, because only a node's own engine knows of its volumes."""
        name = f"{self.stack}_sweep"
        job = ("--mode", "global-job", "--restart-condition", "none", "--no-resolve-image", "--detach", "--quiet")
        mount = ("--mount", "type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock")
        words = (*job, "--name", name, "--label", f"{STACK}={self.stack}", *mount)
        command = ("--entrypoint", "python3", image, "-m", "stackctl.agents.sweep", self.stack)
        run("volumes-not-removed", ("service", "create", *words, *command), name)
        try:
            self._await_job(name)
        finally:
            run("volumes-not-removed", ("service", "rm", name), name)

    def _await_job(self, name: str) -> None:
        deadline = time.monotonic() + SWEEP
        there = {node.id: node.hostname for node in self.nodes() if node.usable}
        while True:
            tasks = self._call(lambda: self._api.tasks(filters={"service": name}))
            states = {raw.get("NodeID"): raw["Status"]["State"] for raw in tasks}
            late = sorted(host for id, host in there.items() if states.get(id) != "complete")
            if not late:
                return
            if time.monotonic() > deadline or any(states.get(id) in ("failed", "rejected") for id in there):
                message = f"volumes of {self.stack} are left on {', '.join(late)}"
                hint = f"there: docker volume rm $(docker volume ls -qf label={STACK}={self.stack})"
                raise StackctlError("volumes-not-removed", message, where=", ".join(late), hint=hint)
            time.sleep(PACE)

    def _unlabel(self) -> None:
        for raw in self._call(self._api.nodes):
            labels: Mapping[str, str] = raw["Spec"].get("Labels") or {}
            kept = {name: value for name, value in labels.items() if not name.startswith(f"stackctl.{self.stack}.")}
            if kept != labels:
                self._change(raw, {**raw["Spec"], "Labels": kept})

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
        (raw,) = self._task(instance) or ({},)
        address = swarm_json.address(raw, self.network) if raw else ""
        own = [
            swarm_json.container_id(task)
            for task in self._tasks()
            if task.get("NodeID") == self._node
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

    # --- how it is asked ---------------------------------------------------------------------------------------

    @property
    def _own(self) -> dict[str, Any]:
        return {"label": f"{STACK}={self.stack}"}

    def _tasks(self) -> list[Any]:
        found: list[Any] = self._call(lambda: self._api.tasks(filters=self._own))
        return found

    def _task(self, instance: Instance) -> list[Any]:
        id = instance.id.rpartition(".")[2]
        return [raw for raw in self._tasks() if raw["ID"] == id]

    def _own_node(self) -> str:
        """The id of the node that is talked to; raises `UsageError` where it can't be told what to do."""
        swarm = self._call(self.client.info)["Swarm"]
        if swarm["LocalNodeState"] != "active":
            hint = "`docker swarm init` makes one of it; or choose a manager: `docker context use`, DOCKER_CONTEXT"
            raise UsageError("swarm-none", "this engine is in no Swarm", where=self._where, hint=hint)
        if not swarm.get("ControlAvailable"):
            managers = ", ".join(str(m["Addr"]).rpartition(":")[0] for m in swarm.get("RemoteManagers") or ())
            hint = f"choose a manager ({managers}): `docker context use`, DOCKER_CONTEXT"
            raise UsageError("swarm-worker", "this engine is a worker of its Swarm", where=self._where, hint=hint)
        return str(swarm["NodeID"])

    @property
    def _where(self) -> str:
        return str(self._api.base_url)

    def _token(self) -> None:
        """The stack's token, by which its agents know who may ask; made once, and gone with the stack."""
        labels = {STACK: self.stack, NAMESPACE: self.stack}
        name = f"{self.stack}_token"
        if not self._call(lambda: self._api.configs(filters={"name": [name]})):
            data = secrets.token_hex(16).encode()
            self._call(lambda: self._api.create_config(name, data, labels))

    def _tidy(self) -> None:
        """Remove configs and secrets that no service uses any more, nor would after a rollback."""
        used: set[str] = set()
        for raw in self._call(lambda: self._api.services(filters=self._own)):
            for spec in (raw["Spec"], raw.get("PreviousSpec") or {"TaskTemplate": {"ContainerSpec": {}}}):
                container = spec["TaskTemplate"]["ContainerSpec"]
                used |= {item["ConfigID"] for item in container.get("Configs") or ()}
                used |= {item["SecretID"] for item in container.get("Secrets") or ()}
        api = self._api
        for listed, remove in ((api.configs, api.remove_config), (api.secrets, api.remove_secret)):
            for raw in self._call(lambda listed=listed: listed(filters=self._own)):  # type: ignore[misc]
                if raw["ID"] not in used and raw["Spec"]["Name"] != f"{self.stack}_token":
                    with contextlib.suppress(docker.errors.APIError):  # somebody's else has it meanwhile
                        remove(raw["ID"])

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except docker.errors.APIError as error:
            reason = str(error.explanation or error)
            if "does not have a leader" in reason or "context deadline exceeded" in reason:
                hint = "more than half of its managers must be there: `docker node ls` on another one"
                raise Unreachable(
                    "swarm-leaderless", "the Swarm has no leader", where=self._where, hint=hint
                ) from error
            raise StackctlError("swarm-refused", reason, where=self._where, hint="docker node ls") from error
        except requests.exceptions.RequestException as error:
            message = f"the engine stopped answering: {error}"
            raise Unreachable("engine-lost", message, where=self._where, hint="stackctl doctor") from error
