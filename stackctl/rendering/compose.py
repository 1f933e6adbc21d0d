"""Workloads as a Compose file that runs with or without stackctl."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from stackctl.domain.desired import Desired, Published, Workload
from stackctl.domain.subnet import Subnet
from stackctl.planning.volumes import named_volumes
from stackctl.rendering.compose_words import environment, escape, escape_all, health, mapping

HEADER = "# Rendered by stackctl from the spec; edits are overwritten by the next `stackctl up`.\n"


def compose_file(desired: Desired, builds: Mapping[str, str]) -> str:
    """The Compose file's text, equal for equal workloads.

    `builds` are the folders, relative to the file, from which images can be built, by tag: with them the file runs
    without stackctl too.
    """
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.representer.ignore_aliases = lambda *_: True
    yaml.dump(compose_model(desired, builds), stream)
    return HEADER + stream.getvalue()


def compose_model(desired: Desired, builds: Mapping[str, str]) -> dict[str, Any]:
    """The Compose file as plain values."""
    volumes = dict.fromkeys(volume for workload in desired.workloads for volume in named_volumes(workload))
    configs = {
        _config_name(workload, target): {"content": _file(value)}
        for workload in desired.workloads
        for target, value in {**workload.configs, **workload.live}.items()
    }
    return {
        "name": desired.project or desired.stack,
        "services": {w.name: _service(desired.stack, w, w.build or builds.get(w.image, "")) for w in desired.workloads},
        "networks": {"default": {"labels": {"stackctl.stack": desired.stack}, **_ipam(desired.subnet)}},
        "volumes": {name: {"labels": {"stackctl.stack": desired.stack}} for name in volumes},
        "configs": configs,
    }


def _service(stack: str, workload: Workload, build: str) -> dict[str, Any]:
    service: dict[str, Any] = {"image": workload.image, **({"build": build} if build else {}), **_identity(workload)}
    if workload.command:
        service["command"] = list(workload.command)
    if workload.replicas != 1:
        service["scale"] = workload.replicas
    if workload.environment:
        service["environment"] = escape_all(dict(workload.environment))
    mounts = [f"{volume}:{path}" for volume, path in workload.volumes.items()]
    mounts += [f"{source}:{path}" for source, path in workload.binds.items()]
    if mounts:
        service["volumes"] = mounts
    if files := (*workload.configs, *workload.live):
        service["configs"] = [{"source": _config_name(workload, target), "target": target} for target in files]
    if workload.published:
        service["ports"] = [_port(published) for published in workload.published]
    if workload.health:
        service["healthcheck"] = health(workload.health)
    if workload.capabilities is not None:
        service["cap_drop"] = ["ALL"]
        if workload.capabilities:
            service["cap_add"] = list(workload.capabilities)
        service["security_opt"] = ["no-new-privileges:true"]
    service["stop_grace_period"] = f"{round(workload.stop_grace * 1000)}ms"
    service["restart"] = "unless-stopped"
    extra = escape_all(dict(workload.extra))
    labels = mapping(extra.pop("labels", None))
    if "ports" in service and "ports" in extra:
        extra["ports"] = [*service["ports"], *(extra["ports"] or ())]
    if workload.environment and "environment" in extra:
        extra["environment"] = service["environment"] | environment(extra["environment"])
    service |= extra
    service["labels"] = labels | {
        **workload.labels,
        "stackctl.stack": stack,
        "stackctl.service": workload.name,
        "stackctl.role": workload.role,
        "stackctl.digest": workload.digest,
    }
    return service


def _identity(workload: Workload) -> dict[str, Any]:
    """What stays the same when the container is made anew."""
    hostname = {"hostname": workload.hostname} if workload.hostname else {}
    network: dict[str, Any] = {"link_local_ips": [workload.link_local]} if workload.link_local else {}
    network |= {"ipv4_address": workload.address} if workload.address else {}
    network |= {"aliases": list(workload.aliases)} if workload.aliases else {}
    dns = {"dns": list(workload.dns)} if workload.dns else {}
    sysctls = {"sysctls": dict(workload.sysctls)} if workload.sysctls else {}
    return hostname | dns | sysctls | ({"networks": {"default": network}} if network else {})


def _ipam(subnet: str) -> dict[str, Any]:
    """A network's subnet, where it is not the engine's choice."""
    if not subnet:
        return {}
    known = Subnet(subnet)
    return {"ipam": {"config": [{"subnet": subnet, "gateway": known.gateway, "ip_range": known.assigned}]}}


def _file(value: Any) -> str:
    """A config's content, line by line as it will lie in the container; what is no text becomes JSON."""
    content = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True) + "\n"
    text: str = LiteralScalarString(escape(content))
    return text


def _config_name(workload: Workload, target: str) -> str:
    return f"{workload.name}-{target.rpartition('/')[2].rpartition('.')[0]}"


def _port(published: Published) -> str:
    if not published.host:
        return str(published.container)
    last = f"-{published.host + published.span - 1}" if published.span > 1 else ""
    address = f"{published.address}:" if published.address else ""
    protocol = "" if published.protocol == "tcp" else f"/{published.protocol}"
    return f"{address}{published.host}{last}:{published.container}{protocol}"
