"""The validated spec becomes the domain's Stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackctl.domain.stack import Balancer, Check, ConsulRegistry, ImageSource, Route, Service, Stack
from stackctl.spec.bundled import SAMPLE_IMAGES
from stackctl.spec.schema import BalancerSpec, CheckSpec, ConsulSpec, ServiceSpec, StackSpec


def translate(spec: StackSpec, path: Path) -> Stack:
    """The stack that the spec at `path` describes."""
    consul = spec.registry.consul or ConsulSpec()
    domain = spec.balancer.domain
    return Stack(
        name=spec.name,
        services=tuple(_service(name, service, domain, path.parent) for name, service in spec.services.items()),
        engine=spec.engine,
        registry=ConsulRegistry(servers=consul.servers, ui=consul.ui),
        balancer=_balancer(spec.balancer),
        origin=str(path),
        folder=str(path.parent),
    )


def _balancer(spec: BalancerSpec) -> Balancer:
    return Balancer(
        replicas=spec.replicas,
        http=spec.http,
        domain=spec.domain,
        stub_status=spec.stub_status,
        connect_timeout=spec.connect_timeout,
    )


def _service(name: str, spec: ServiceSpec, domain: str, folder: Path) -> Service:
    return Service(
        name=name,
        image=_image(spec, folder),
        port=spec.port,
        replicas=spec.replicas,
        route=_route(spec.route, f"{name}.{domain}"),
        register=spec.registering,
        address=spec.address,
        check=_check(spec.check),
        weight=spec.weight,
        stop_grace=spec.stop_grace,
        compose=anchored(spec.compose, folder),
    )


def _image(spec: ServiceSpec, folder: Path) -> ImageSource:
    if spec.build is not None:
        return ImageSource("build", str((folder / spec.build).resolve()))
    image = spec.image or ""
    return ImageSource("bundled" if image in SAMPLE_IMAGES else "reference", image)


def _route(route: Route | None, own_host: str) -> Route | None:
    return replace(route, host=own_host) if route and route.kind == "host" and not route.host else route


def _check(spec: CheckSpec) -> Check:
    return Check(
        kind="tcp" if spec.http is None else "http",
        path=spec.http or "/",
        interval=spec.interval,
        timeout=spec.timeout,
        deregister_after=spec.deregister_after,
    )


def anchored(compose: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The passthrough with paths on the host that start at the spec's folder, because the Compose file lies elsewhere.

    As in Compose, a volume's source is a path when it begins with a dot; env_file always is one.
    """
    found = dict(compose)
    if "volumes" in found:
        found["volumes"] = [_volume(volume, folder) for volume in found["volumes"] or ()]
    files = found.get("env_file")
    if isinstance(files, str):
        found["env_file"] = str((folder / files).resolve())
    elif isinstance(files, list):
        found["env_file"] = [str((folder / file).resolve()) if isinstance(file, str) else file for file in files]
    return found


def _volume(volume: Any, folder: Path) -> Any:
    if isinstance(volume, str) and volume.startswith("."):
        source, colon, rest = volume.partition(":")
        return f"{(folder / source).resolve()}{colon}{rest}"
    if isinstance(volume, dict) and str(volume.get("source", "")).startswith("."):
        return {**volume, "source": str((folder / str(volume["source"])).resolve())}
    return volume
