"""The validated spec becomes the domain's Stack."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackctl.domain.files import FILES, FileTemplate
from stackctl.domain.host import Host
from stackctl.domain.instance import Endpoint
from stackctl.domain.route import Route
from stackctl.domain.stack import (
    Balancer,
    Check,
    ConsulRegistry,
    External,
    ImageSource,
    RedisRegistry,
    Registry,
    Service,
    Stack,
    StaticRegistry,
)
from stackctl.spec.bundled import SAMPLE_IMAGES
from stackctl.spec.files import Files
from stackctl.spec.schema import (
    BalancerSpec,
    CheckSpec,
    ConsulSpec,
    ExternalSpec,
    FileSpec,
    HostSpec,
    RegistrySpec,
    ServiceSpec,
    StackSpec,
)


def translate(spec: StackSpec, path: Path, files: Files) -> Stack:
    """The stack that the spec at `path` describes, with the texts of the files that it names."""
    domain = spec.balancer.domain
    return Stack(
        name=spec.name,
        services=tuple(_service(name, service, domain, path.parent) for name, service in spec.services.items()),
        engine=spec.engine,
        registry=_registry(spec.registry, spec.name),
        balancer=_balancer(spec.balancer, files),
        origin=str(path),
        folder=str(path.parent),
        external=tuple(_external(name, external, domain) for name, external in spec.external.items()),
        hosts=tuple(_host(name, host) for name, host in spec.hosts.items()),
    )


def _host(name: str, spec: HostSpec) -> Host:
    return Host(name, spec.context or "", spec.url or "", spec.address or "")


def _registry(spec: RegistrySpec, stack: str) -> Registry:
    if spec.redis:
        redis = spec.redis
        return RedisRegistry(redis.replicas, redis.sentinels, redis.ttl, redis.prefix, redis.password or "")
    if spec.static:
        return StaticRegistry()
    consul = spec.consul or ConsulSpec()
    subnet = _subnet(stack) if consul.dns is True else consul.dns or ""
    return ConsulRegistry(consul.servers, consul.ui, subnet, consul.script_checks, consul.port)


def _subnet(stack: str) -> str:
    """One of the 512 /24 networks of 198.18.0.0/15, always the same for a stack's name.

    RFC 2544 sets that range aside for benchmarks of routers, so that nobody's network is in it.
    """
    number = int(hashlib.sha256(stack.encode()).hexdigest(), 16) % 512
    return f"198.{18 + number // 256}.{number % 256}.0/24"


def _external(name: str, spec: ExternalSpec, domain: str) -> External:
    endpoints = tuple(map(Endpoint.parse, spec.endpoints))
    return External(name, endpoints, _route(spec.route, f"{name}.{domain}"), _check(spec.check))


def _balancer(spec: BalancerSpec, files: Files) -> Balancer:
    return Balancer(
        replicas=spec.replicas,
        http=spec.http,
        domain=spec.domain,
        stub_status=spec.stub_status,
        connect_timeout=spec.connect_timeout,
        response_timeout=spec.response_timeout,
        shutdown_timeout=spec.shutdown_timeout,
        https=spec.https,
        tls=spec.tls,
        tcp=tuple(spec.tcp),
        certificate=files.certificate,
        template=files.template,
        files=tuple(_file(file, files) for file in spec.files),
        empty=spec.empty,
        virtual_address=spec.virtual_address or "",
    )


def _file(spec: FileSpec, files: Files) -> FileTemplate:
    return FileTemplate(files.templates[spec.src], f"{FILES}/{spec.dest}", spec.check, spec.reload, tuple(spec.keys))


def _service(name: str, spec: ServiceSpec, domain: str, folder: Path) -> Service:
    return Service(
        name=name,
        image=_image(spec, folder),
        port=spec.port,
        replicas=spec.replicas,
        route=_route(spec.route, f"{name}.{domain}", strip=spec.strip_prefix),
        register=spec.registering,
        address=spec.address,
        check=_check(spec.check),
        weight=spec.weight,
        stop_grace=spec.stop_grace,
        compose=anchored(spec.compose, folder),
        on=tuple(spec.on or ()),
    )


def _image(spec: ServiceSpec, folder: Path) -> ImageSource:
    if spec.build is not None:
        return ImageSource("build", str((folder / spec.build).resolve()))
    image = spec.image or ""
    return ImageSource("bundled" if image in SAMPLE_IMAGES else "reference", image)


def _route(route: Route | None, own_host: str, *, strip: bool = False) -> Route | None:
    if route and route.kind == "host" and not route.host:
        return replace(route, host=own_host)
    return replace(route, strip=strip) if route and route.kind == "path" else route


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

    As in Compose, a volume's source is a path when it begins with a dot or is said to be one; env_file always is one.
    """
    found = dict(compose)
    if "volumes" in found:
        found["volumes"] = [_volume(volume, folder) for volume in found["volumes"] or ()]
    if files := found.get("env_file"):
        several = isinstance(files, list)
        found["env_file"] = [_env_file(file, folder) for file in files] if several else _anchored(files, folder)
    return found


def _anchored(path: str, folder: Path) -> str:
    """An absolute path; the tilde is left to whoever runs Compose."""
    return path if path.startswith("~") else str((folder / path).resolve())


def _env_file(file: str | Mapping[str, Any], folder: Path) -> Any:
    if isinstance(file, str):
        return _anchored(file, folder)
    path = file.get("path")
    return {**file, "path": _anchored(path, folder)} if isinstance(path, str) else file


def _volume(volume: str | Mapping[str, Any], folder: Path) -> Any:
    if isinstance(volume, str):
        source, colon, rest = volume.partition(":")
        return f"{_anchored(source, folder)}{colon}{rest}" if source.startswith(".") else volume
    path = volume.get("source")
    if isinstance(path, str) and (volume.get("type") == "bind" or path.startswith(".")):
        return {**volume, "source": _anchored(path, folder)}
    return volume
