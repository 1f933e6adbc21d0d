"""A lab's containers, network and volumes on this machine's engine. Makes no decision: it does what it is told."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import docker
import docker.errors
import requests.exceptions
from docker.types import IPAMConfig, IPAMPool, LogConfig

from stackctl.domain.lab import FOLDER, LAB, NODE, Condition, Cut, Lab, NewNode, Node, SwarmRole
from stackctl.engine.build import archive
from stackctl.engine.client import connect
from stackctl.engine.contexts import context_client
from stackctl.errors import StackctlError, Unreachable, UsageError

FIRST_WORD = 2.0  # seconds for a node's engine to say something
LOG_LINES = 12
TRIES = 5
Spare = Callable[[IPv4Network], Iterable[IPv4Address]]
LOST = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)


class LabEngine:
    """The engine that the nodes' containers run on."""

    def __init__(self) -> None:
        self.client = connect()
        info = self.client.info()
        if any(str(label).startswith(f"{LAB}=") for label in info.get("Labels") or ()):
            hint = "unset DOCKER_CONTEXT and DOCKER_HOST, or `docker context use default`"
            raise UsageError("lab-inside", f"the chosen engine, {info.get('Name')}, is itself a lab's node", hint=hint)
        self._unfit = unfit(info)

    def check(self) -> None:
        """Whether this engine can have nodes at all; raises `StackctlError`."""
        if self._unfit:
            raise _forbidden(self._unfit)

    def labs(self) -> tuple[str, ...]:
        """The names of all labs of which anything is there."""
        containers = self.client.api.containers(all=True, filters={"label": LAB})
        networks = self.client.api.networks(filters={"label": LAB})
        return tuple(sorted({str(item["Labels"][LAB]) for item in (*containers, *networks)}))

    def observe(self, lab: str, network: str) -> Lab:
        """A lab as it is now: its nodes by number, each asked whether it answers."""
        containers = [
            container
            for container in self.client.containers.list(all=True, filters={"label": f"{LAB}={lab}"})
            if NODE in container.labels and container.status != "created"  # one that was left half made
        ]
        with ThreadPoolExecutor(max(len(containers), 1)) as pool:
            nodes = pool.map(lambda container: _node(container, network), containers)
        return Lab(lab, self._subnet(network), tuple(sorted(nodes, key=lambda node: node.number)))

    def create_network(self, name: str, labels: Mapping[str, str], spare: Spare) -> IPv4Network:
        """Make the lab's network; the engine chooses addresses that are nobody's, and gives no `spare` one away.

        Fixed addresses need a subnet that was asked for: it is made, looked at, and made again with the same one.
        """
        with _told("lab-network-failed", name):
            for _ in range(TRIES - 1):
                try:
                    return self._network(name, labels, spare)
                except docker.errors.APIError:
                    continue  # somebody took the subnet in between
            return self._network(name, labels, spare)

    def _network(self, name: str, labels: Mapping[str, str], spare: Spare) -> IPv4Network:
        first = self.client.networks.create(name, driver="bridge")
        subnet = _config(first.attrs)
        first.remove()
        if subnet is None:
            hint = "look at `default-address-pools` of this machine's engine"
            raise StackctlError("lab-network-failed", "the network has no IPv4 addresses", where=name, hint=hint)
        kept = {f"spare-{number}": str(address) for number, address in enumerate(spare(subnet), 1)}
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet), aux_addresses=kept)])
        self.client.networks.create(name, driver="bridge", labels=dict(labels), ipam=ipam)
        return subnet

    def create(self, node: NewNode, image: str, files: Mapping[str, str]) -> None:
        """Make a node and start it; `files` are the certificates of its engine."""
        with _told("lab-node-failed", node.name):
            self._remove_half_made(node.name)
            self.client.volumes.create(node.volume, labels=dict(node.labels))
            endpoint = self.client.api.create_endpoint_config(ipv4_address=str(node.address))
            container = self.client.containers.create(
                image,
                name=node.name,
                hostname=node.name,
                privileged=True,
                userns_mode="host",  # where the engine maps users, root of a node is root
                network=node.network,
                networking_config={node.network: endpoint},
                volumes={node.volume: {"bind": "/var/lib/docker", "mode": "rw"}},
                tmpfs={"/run": ""},
                environment={"NODE_ADDRESS": str(node.address), "NODE_GATEWAY": str(node.gateway)},
                labels=dict(node.labels),
                log_config=LogConfig(type="json-file", config={"max-size": "5m", "max-file": "2"}),
            )
            texts = {"daemon.json": json.dumps(node.daemon, indent=2), **files}
            container.put_archive("/etc", archive({f"stackctl/{name}": text for name, text in texts.items()}))
            container.start()

    def start(self, node: Node) -> None:
        """Start a node again, on its data."""
        with _told("lab-node-failed", node.name):
            self.client.containers.get(node.name).start()

    def kill(self, node: Node) -> None:
        """The machine dies: SIGKILL for everything on it at once."""
        with _told("lab-node-failed", node.name):
            self.client.containers.get(node.name).kill("SIGKILL")

    def cut(self, node: Node, cut: Cut) -> None:
        """Cut a node off from its network, or bring it back."""
        with _told("lab-node-failed", node.name):
            command = ["sh", "/opt/stackctl/cut.sh", cut]
            done: Any = self.client.containers.get(node.name).exec_run(command)
        if done.exit_code:
            message = f"{node.name}'s network rules were refused: {done.output.decode(errors='replace').strip()}"
            raise StackctlError("lab-cut-failed", message, where=node.name, hint="does this kernel have nf_tables?")

    def read(self, node: Node, name: str) -> str:
        """A file of a node's /etc/stackctl, running or not; raises `StackctlError`."""
        with _told("lab-node-failed", node.name):
            return _read(self.client.containers.get(node.name), name)

    def trouble(self, node: Node) -> str | None:
        """The end of a node's log where it has ended by itself; None while it runs."""
        container = self.client.containers.get(node.name)
        return None if container.status == "running" else self.log(node)

    def log(self, node: Node) -> str:
        """The end of what a node's engine wrote."""
        log: Any = self.client.containers.get(node.name).logs(tail=LOG_LINES)
        text = str(log.decode(errors="replace"))
        return "\n".join(f"    {line}" for line in text.splitlines())

    def remove(self, lab: str) -> None:
        """Remove everything with the lab's label: containers, networks, volumes."""
        own: dict[str, Any] = {"label": f"{LAB}={lab}"}
        with _told("lab-down-failed", lab):
            containers = self.client.containers.list(all=True, filters=own, ignore_removed=True)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda container: container.remove(force=True, v=True), containers))
            for network in self.client.networks.list(filters=own):
                network.remove()
            for volume in self.client.volumes.list(filters=own):
                volume.remove()

    def _remove_half_made(self, name: str) -> None:
        try:
            container = self.client.containers.get(name)
        except docker.errors.NotFound:
            return
        if container.status == "created":
            container.remove(v=True)

    def _subnet(self, network: str) -> IPv4Network | None:
        try:
            return _config(self.client.api.inspect_network(network))
        except docker.errors.NotFound:
            return None


def unfit(info: Mapping[str, Any]) -> str:
    """Why an engine that describes itself so can have no nodes; empty where it can."""
    if "name=rootless" in (info.get("SecurityOptions") or ()):
        return "a rootless engine can't give a container the whole machine"
    if "Docker Desktop" in str(info.get("OperatingSystem")):
        return "Docker Desktop keeps its networks in a virtual machine, where this one does not reach them"
    return ""


def answers(name: str) -> tuple[bool, SwarmRole]:
    """Whether a node's engine answers over its context, and what the node is in a Swarm."""
    try:
        client = context_client(name, FIRST_WORD)
        swarm = client.info()["Swarm"] if client else None
    except LOST:
        return False, ""
    if swarm is None:
        return False, ""
    if swarm.get("LocalNodeState") not in {"active", "error"}:
        return True, ""
    return True, "manager" if swarm.get("ControlAvailable") else "worker"


def _node(container: Any, network: str) -> Node:
    settings = container.attrs["NetworkSettings"]["Networks"].get(network) or {}
    address = (settings.get("IPAMConfig") or {}).get("IPv4Address") or settings.get("IPAddress", "")
    condition: Condition = "stopped"
    role: SwarmRole = ""
    if container.status == "running":
        alive, role = answers(container.name)
        condition = "ready" if alive else "silent"
    return Node(int(container.labels[NODE]), container.name, address, condition, _cut(container), role)


def _cut(container: Any) -> Cut:
    try:
        mode = _read(container, "cut").strip()
    except docker.errors.NotFound:
        return "none"
    return "all" if mode == "all" else "most"


def _read(container: Any, name: str) -> str:
    chunks, _ = container.get_archive(f"{FOLDER}/{name}")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        file = tar.extractfile(name)
        return file.read().decode() if file else ""


def _config(attributes: Mapping[str, Any]) -> IPv4Network | None:
    configs = (attributes.get("IPAM") or {}).get("Config") or ()
    return next((IPv4Network(c["Subnet"]) for c in configs if ":" not in c["Subnet"]), None)


def _forbidden(reason: str) -> StackctlError:
    hint = (
        "a lab needs a Linux machine whose engine may run privileged containers; one of your virtual machines will do"
    )
    return StackctlError("lab-privileged", f"this engine can't run a lab's nodes: {reason}", hint=hint)


@contextmanager
def _told(id: str, where: str) -> Iterator[None]:
    """The SDK's exceptions as errors that a person can act on."""
    try:
        yield
    except docker.errors.APIError as error:
        reason = str(error.explanation or error)
        if "privileged" in reason.lower() or error.status_code == 403:
            raise _forbidden(reason) from error
        raise StackctlError(id, reason, where=where, hint="stackctl lab list") from error
    except requests.exceptions.RequestException as error:
        raise Unreachable("engine-lost", f"the engine stopped answering: {error}", where=where) from error
