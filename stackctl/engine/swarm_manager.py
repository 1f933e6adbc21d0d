"""One manager of a Swarm, asked about one stack: the raw answers, and what to say where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import docker.errors
import requests.exceptions

from stackctl.domain.swarm import SwarmNode, SwarmService
from stackctl.engine import swarm_json
from stackctl.engine.client import connect
from stackctl.errors import Leaderless, StackctlError, Unreachable, UsageError

STACK = "stackctl.stack"
NAMESPACE = "com.docker.stack.namespace"  # by which `docker stack` knows what is a stack's

T = TypeVar("T")


class Manager:
    """The engine that is talked to; raises `UsageError` where it can't be told what to do."""

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self.client = connect()
        self.api: Any = self.client.api
        self.node = self._own_node()

    @property
    def own(self) -> dict[str, Any]:
        """The filter for what is the stack's."""
        return {"label": f"{STACK}={self.stack}"}

    def nodes(self) -> tuple[SwarmNode, ...]:
        """The members of the Swarm."""
        return tuple(map(swarm_json.node, self.call(self.api.nodes)))

    def services(self) -> tuple[SwarmService, ...]:
        """The stack's services."""
        return tuple(map(swarm_json.service, self.raw_services()))

    def raw_services(self) -> list[Any]:
        """The same as the manager tells them."""
        found: list[Any] = self.call(lambda: self.api.services(filters=self.own))
        return found

    def tasks(self) -> list[Any]:
        """The stack's tasks, those that have ended too, as the manager tells them."""
        found: list[Any] = self.call(lambda: self.api.tasks(filters=self.own))
        return found

    def change_node(self, raw: Any, labels: dict[str, str]) -> None:
        """Give a node these labels and no others."""
        spec = {**raw["Spec"], "Labels": labels}
        self.call(lambda: self.api.update_node(raw["ID"], raw["Version"]["Index"], spec))

    def call(self, call: Callable[[], T]) -> T:
        """A call of the API; raises `Unreachable` where the engine or its Swarm can't answer, and `StackctlError` with
        its words where it refuses."""
        try:
            return call()
        except docker.errors.APIError as error:
            reason = str(error.explanation or error)
            if "does not have a leader" in reason or "context deadline exceeded" in reason:
                hint = "half of its managers are gone, or they have just met again and elect one, which takes a minute"
                raise Leaderless("swarm-leaderless", "the Swarm has no leader", where=self._where, hint=hint) from error
            raise StackctlError("swarm-refused", reason, where=self._where, hint="docker node ls") from error
        except requests.exceptions.RequestException as error:
            message = f"the engine stopped answering: {error}"
            raise Unreachable("engine-lost", message, where=self._where, hint="stackctl doctor") from error

    def _own_node(self) -> str:
        """The id of the node that is talked to."""
        swarm = self.call(self.client.info)["Swarm"]
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
        return str(self.api.base_url)
