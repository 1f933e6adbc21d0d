"""Workloads as the files of `docker stack deploy`: the stack file, and beside it what its configs and secrets hold.

Configs and secrets of a Swarm never change, so each is named by the digest of its content: another content is another
config, and the services that use it are updated.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

from stackctl.domain.desired import Desired, Published, Workload
from stackctl.planning.published import own_ports
from stackctl.planning.swarm import Placement, placement
from stackctl.planning.volumes import named_volumes
from stackctl.rendering.compose_words import environment, escape_all, health, mapping

STACK_FILE = "compose.yaml"
UPDATE_FILE = "update.yaml"
HEADER = "# Rendered by stackctl from the spec; edits are overwritten by the next `stackctl up`.\n"
VERSION = "3.12"  # the first with `start_interval`
DOORS = ("registrator", "balancer")  # the parts that are asked from other nodes
LONGEST_NAME = 64  # of a config or a secret
TOKEN = "/etc/stackctl/token"
# What is watched after each task that was started; one that ends meanwhile undoes the update.
MONITOR = 5.0


def swarm_files(desired: Desired, *, only: str = "", parallel: int = 1) -> dict[str, str]:
    """Every file by its path; equal for equal workloads.

    With `only` there is the file that is about this service alone, `parallel` of whose tasks are replaced at once:
    what a stack file does not name, `docker stack deploy` leaves as it is.
    """
    chosen = [workload for workload in desired.workloads if only in ("", workload.name)]
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.dump(_model(desired.stack, chosen, parallel), stream)
    texts = {_path(w, target): _text(value) for w in chosen for target, value in w.configs.items()}
    return {UPDATE_FILE if only else STACK_FILE: HEADER + stream.getvalue(), **texts}


def _model(stack: str, workloads: Iterable[Workload], parallel: int) -> dict[str, Any]:
    """The stack file as plain values."""
    workloads = tuple(workloads)
    own = {"labels": {"stackctl.stack": stack}}
    files: dict[str, dict[str, Any]] = {"configs": {}, "secrets": {}}
    for workload in workloads:
        for target, value in workload.configs.items():
            name = _name(workload, target)
            named = {"name": _called(stack, name, value), "file": f"./{_path(workload, target)}"}
            files[_kind(target)][name] = {**named, **own}
    if any(workload.role in DOORS for workload in workloads):
        # Made once, by hand or by `stackctl up`: it has to stay the same.
        files["configs"]["token"] = {"external": True, "name": f"{stack}_token"}
    volumes = sorted({volume for workload in workloads for volume in named_volumes(workload)})
    return {
        "version": VERSION,
        "services": {workload.name: _service(stack, workload, parallel) for workload in workloads},
        "networks": {"default": {"driver": "overlay", "attachable": True, **own}},
        **({"volumes": dict.fromkeys(volumes, own)} if volumes else {}),
        **{kind: found for kind, found in files.items() if found},
    }


def _service(stack: str, workload: Workload, parallel: int) -> dict[str, Any]:
    extra = _literal(escape_all({key: value for key, value in workload.extra.items() if key != "ports"}))
    labels, asked = mapping(extra.pop("labels", None)), mapping(extra.pop("deploy", None))
    variables = escape_all(dict(workload.environment))
    if variables and "environment" in extra:
        extra["environment"] = variables | environment(extra["environment"])
    own = {
        "stackctl.stack": stack,
        "stackctl.service": workload.name,
        "stackctl.role": workload.role,
        "stackctl.digest": workload.digest,
    }
    mounts = [f"{source}:{path}" for source, path in {**workload.volumes, **workload.binds}.items()]
    said = {
        "hostname": workload.hostname,
        "dns": list(workload.dns),
        "sysctls": dict(workload.sysctls),
        "command": list(workload.command),
        "environment": variables,
        "volumes": [*mounts, *extra.pop("volumes", [])],
        **{kind: list(_files(workload, kind)) for kind in ("configs", "secrets")},
        "ports": [*map(_port, workload.published), *_own_ports(workload)],
        "healthcheck": health(workload.health) if workload.health else None,
        "cap_drop": ["ALL"] if workload.capabilities is not None else None,
        "cap_add": list(workload.capabilities or ()),
        "stop_grace_period": f"{round(workload.stop_grace * 1000)}ms",
    }
    return {
        "image": workload.image,
        **{key: value for key, value in said.items() if value},
        **extra,
        "labels": labels | {**workload.labels, **own},
        "deploy": _deploy(workload, placement(stack, workload), asked, own, parallel),
    }


def _files(workload: Workload, kind: str) -> Iterator[dict[str, str]]:
    for target in (target for target in workload.configs if _kind(target) == kind):
        yield {"source": _name(workload, target), "target": target}
    if kind == "configs" and workload.role in DOORS:
        yield {"source": "token", "target": TOKEN}


def _deploy(
    workload: Workload, where: Placement, asked: Mapping[str, Any], own: Mapping[str, str], parallel: int
) -> dict[str, Any]:
    """How many tasks, where, and how they are replaced; the spec's own words hold where it says them."""
    order = "stop-first" if where.in_place else "start-first"
    change = {"parallelism": parallel, "order": order, "monitor": f"{MONITOR:g}s"}
    says: dict[str, dict[str, Any]] = {
        "update_config": change | {"failure_action": "rollback" if workload.role == "service" else "pause"},
        "rollback_config": change,
        "restart_policy": {"condition": "any", "delay": "1s"},
    }
    here: dict[str, Any] = {"max_replicas_per_node": 1, "constraints": [f"node.labels.{where.label} == true"]}
    placed = here if where.label else {}
    return {
        **({"mode": "global"} if where.everywhere else {"mode": "replicated", "replicas": workload.replicas}),
        # No virtual addresses: they need a kernel with IPVS, and balancing is not theirs here.
        "endpoint_mode": "dnsrr",
        **{key: {**value, **mapping(asked.get(key))} for key, value in says.items()},
        **{key: value for key, value in asked.items() if key not in (*says, "labels", "placement")},
        **({"placement": placed | mapping(asked.get("placement"))} if placed or "placement" in asked else {}),
        "labels": mapping(asked.get("labels")) | dict(own),
    }


def _port(published: Published) -> dict[str, Any]:
    """At the node itself: the Swarm's own mesh would need IPVS, and hide who asks."""
    given = {"published": published.host} if published.host else {}
    return {"target": published.container, **given, "protocol": "tcp", "mode": "host"}


def _own_ports(workload: Workload) -> list[dict[str, Any]]:
    return [
        {
            "target": port.target,
            **({"published": port.host} if port.host else {}),
            "protocol": port.protocol,
            "mode": "host",
        }
        for port in own_ports(workload.extra)
    ]


def _literal(extra: dict[str, Any]) -> dict[str, Any]:
    """The user's environment and host name as they are: the engine would put its own values in the place of {{…}}."""
    for key in ("environment", "hostname"):
        if key in extra:
            extra[key] = _braced(extra[key])
    return extra


def _braced(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("{{", '{{"{{"}}')
    if isinstance(value, Mapping):
        return {key: _braced(item) for key, item in value.items()}
    return [_braced(item) for item in value] if isinstance(value, list | tuple) else value


def _kind(target: str) -> str:
    """What nobody but the container may read is a secret, the rest a config."""
    return "secrets" if target.endswith(("key.pem", "token")) else "configs"


def _name(workload: Workload, target: str) -> str:
    return f"{workload.name}-{target.rpartition('/')[2].rpartition('.')[0] or target.rpartition('/')[2]}"


def _path(workload: Workload, target: str) -> str:
    return f"{_kind(target)}/{workload.name}-{target.rpartition('/')[2]}"


def _text(value: Any) -> str:
    """A config's content as it will lie in the container; what is no text becomes JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True) + "\n"


def _called(stack: str, name: str, value: Any) -> str:
    """What the Swarm calls a config of that content: the digest makes it its own, however little of the rest fits."""
    tail = f"-{_digest(value)}"
    return f"{stack}_{name}"[: LONGEST_NAME - len(tail)] + tail


def _digest(value: Any) -> str:
    return hashlib.sha256(_text(value).encode()).hexdigest()[:12]
