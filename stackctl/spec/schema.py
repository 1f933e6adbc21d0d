"""The schema of stack.yaml: every key, what it means, and what it may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, model_validator

from stackctl.domain.route import Route
from stackctl.domain.stack import Addressing, EngineKind, Registering
from stackctl.spec import fields
from stackctl.spec.fields import Extensible, Model, choice, duration, seconds, whole

ServiceName = Annotated[str, fields.SERVICE_NAME]
Pause = Annotated[float, seconds(0.1)]


class ConsulSpec(Model):
    """A Consul cluster that the stack runs for itself."""

    servers: Annotated[int, choice(1, 3, 5, 7, hint="an even number survives no more losses")] = Field(
        3, description="How many servers hold the catalog; 3 survive the loss of 1, 5 of 2."
    )
    ui: Annotated[int | None, fields.PORT] = Field(
        None, description="The port of the web UI and API on 127.0.0.1; not published without it."
    )
    dns: Annotated[bool | str, fields.DNS] = Field(
        False,
        description="Containers resolve <service>.service.dc1.consul through the stack's own agent. `true` chooses a "
        "subnet for the stack's network in 198.18.0.0/15; or name a free one: 10.99.7.0/24.",
    )
    port: Annotated[int, whole(1, 65534)] = Field(
        8300, description="On several hosts: the first of two ports of each by which Consul's nodes reach each other."
    )
    script_checks: Annotated[bool, fields.FLAG] = Field(
        False, description="Allow SERVICE_CHECK_SCRIPT: whoever can register may then run commands beside Consul."
    )


class RedisSpec(Model):
    """A Redis master with replicas and Sentinels that the stack runs for itself."""

    replicas: Annotated[int, whole(0, 10)] = Field(1, description="Replicas beside the master.")
    sentinels: Annotated[int, choice(1, 3, 5, 7)] = Field(3, description="Sentinels that elect a new master.")
    ttl: Annotated[float, seconds(1.0)] = duration("12s", "How long a registration lives without a heartbeat.")
    prefix: Annotated[str, fields.KEY_PREFIX] = Field("/work", description="What every key begins with.")
    password: Annotated[str | None, fields.PASSWORD] = Field(
        None,
        description="What Redis and the Sentinels ask for. Without it they ask for nothing: everything on the stack's "
        "network, and on the engine's machine, may write to the registry.",
    )


class StaticSpec(Model):
    """No registry: the list of endpoints is fixed when the stack starts."""


class RegistrySpec(Model):
    """Where instances are registered: one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    consul: ConsulSpec | None = Field(None, description="Consul; empty for its defaults.")
    redis: RedisSpec | None = Field(None, description="Redis; empty for its defaults.")
    static: StaticSpec | None = Field(None, description="A fixed list.")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        """The key alone says which one."""
        return {key: {} if value is None else value for key, value in data.items()} if isinstance(data, dict) else data


class FileSpec(Model):
    """A file other than nginx's, kept in step with the registry by the balancer's agent."""

    src: Annotated[str, fields.FOLDER] = Field(description="A Jinja2 template, relative to the spec.")
    dest: Annotated[str, fields.FILE_NAME] = Field(
        description="The file's name in the volume `files`, which services can mount: `files:/etc/app:ro`."
    )
    check: Annotated[str, fields.COMMAND] = Field(
        "",
        description="A command for the shell; the new file, {file}, takes the old one's place only if it succeeds.",
    )
    reload: Annotated[str, fields.COMMAND] = Field("", description="A command for the shell, run after that.")
    keys: list[Annotated[str, fields.KEYS]] = Field(
        default_factory=list, description="Prefixes of keys (Consul's KV, Redis' strings) that the template is given."
    )


class CertificateSpec(Model):
    """A certificate of your own, in PEM."""

    chain: Annotated[str, fields.FOLDER] = Field(description="The file with the certificate and its issuers.")
    key: Annotated[str, fields.FOLDER] = Field(description="The file with its key, not encrypted.")


class BalancerSpec(Extensible):
    """The entry: nginx with an agent that follows the registry."""

    replicas: Annotated[int, whole(1, 100)] = Field(1, description="How many balancers.")
    http: Annotated[int, fields.PORT] = Field(80, description="The published port of the entry.")
    domain: Annotated[str, fields.DOMAIN] = Field(
        "localhost", description="Services routed by `host` answer as <service>.<domain>."
    )
    https: Annotated[int | None, fields.PORT] = Field(
        None, description="The published port where TLS ends: the same routes as on `http`."
    )
    certificate: CertificateSpec | None = Field(
        None, description="The certificate for `https`; without one, stackctl's own local authority issues it."
    )
    tls: Annotated[int | None, fields.PORT] = Field(
        None, description="The published port where TLS is passed on to the services with a route `tls:NAME`."
    )
    tcp: list[Annotated[int, fields.PORT]] = Field(
        default_factory=list, description="Ports published for tcp services that appear in the registry only."
    )
    empty: Annotated[Literal[502, 503], choice(502, 503)] = Field(
        503, description="The status for a service without a passing instance."
    )
    stub_status: Annotated[bool, fields.FLAG] = Field(False, description="Serve nginx's counters at /stub_status.")
    connect_timeout: Annotated[float, seconds(0.001, 75.0)] = duration(
        "500ms", "How long to wait for an instance's connection before the next one is tried."
    )
    response_timeout: Annotated[float, seconds(0.1, 86400.0)] = duration(
        "60s",
        "How long an instance may be silent; then a request that is safe to repeat is asked of the next instance.",
    )
    shutdown_timeout: Annotated[float, seconds(1.0, 604800.0)] = duration(
        "1h",
        "How long connections may go on in nginx workers of an older config: long requests, event streams, websockets.",
    )
    files: list[FileSpec] = Field(default_factory=list, description="Files other than nginx's.")
    template: Annotated[str | None, fields.FOLDER] = Field(
        None, description="Your own Jinja2 template, given the same context."
    )
    virtual_address: Annotated[str | None, fields.ADDRESS] = Field(
        None,
        description="On several hosts: an address that nobody has, in their network. One host whose balancer answers "
        "has it; another one takes it over.",
    )


class CheckSpec(Model):
    """How the registry asks an instance whether it serves."""

    http: Annotated[str | None, fields.URL_PATH] = Field(
        None, description="Ask for this path; without it a tcp connection is enough."
    )
    interval: Pause = duration("1s", "How often.")
    timeout: Pause = duration("1s", "How long to wait for the answer.")
    deregister_after: Annotated[float, seconds(60.0)] = duration(
        "90m", "An instance that fails for so long is forgotten; a minute at least."
    )


class ServiceSpec(Extensible):
    """One workload of the stack."""

    model_config = ConfigDict(
        json_schema_extra={
            "patternProperties": {"^x-": {}},
            "oneOf": [{"required": ["image"]}, {"required": ["build"]}],
        }
    )

    image: Annotated[str | None, fields.IMAGE] = Field(
        None, description="A bundled sample's name (whoami) or an image reference; either this or `build`."
    )
    build: Annotated[str | None, fields.FOLDER] = Field(
        None, description="A folder with a Dockerfile, relative to the spec; either this or `image`."
    )
    port: Annotated[int, fields.PORT] = Field(description="The port on which an instance listens.")
    replicas: Annotated[int, whole(0, 1000)] = Field(1, description="How many instances.")
    route: Annotated[Route | None, fields.ROUTE] = Field(
        None,
        description="How the entry reaches it: a path (/, /api), a virtual host (host = <service>.<domain>, "
        "host:api.example.test), a tcp port (tcp:9999) or the name in a TLS hello (tls:db.example.test); "
        "without it the service is internal.",
    )
    strip_prefix: Annotated[bool, fields.FLAG] = Field(
        False, description="Take the route's path away before an instance sees the request."
    )
    # `register` is a method of every abstract base class, pydantic's models among them.
    registering: Annotated[Registering, choice(*get_args(Registering))] = Field(
        "registrator",
        alias="register",
        description="Who registers it: registrator (the agent), self (its heartbeat), api (somebody), none.",
    )
    address: Annotated[Addressing, choice(*get_args(Addressing))] = Field(
        "container",
        description="Which address is registered: the container's, or the host's with a published port.",
    )
    check: CheckSpec = Field(default_factory=CheckSpec, description="The registry's health check.")
    weight: Annotated[int, whole(1, 256)] = Field(1, description="Each instance's weight in the balancer.")
    stop_grace: Annotated[float, seconds(0.0, 86400.0)] = duration(
        "30s", "How long an instance may finish its requests before it is killed."
    )
    on: list[Annotated[str, fields.HOST_NAME]] | None = Field(
        None, description="The hosts that its instances may run on; all of them without it."
    )
    compose: dict[str, Any] = Field(
        default_factory=dict,
        description="Any keys of a Compose service, passed through; stackctl's own are refused.",
    )


class ExternalSpec(Model):
    """Endpoints that stackctl does not run: host processes, other machines."""

    endpoints: Annotated[list[Annotated[str, fields.ENDPOINT]], fields.DISTINCT] = Field(
        description="Addresses with ports: 192.0.2.7:8080.", json_schema_extra={"minItems": 1, "uniqueItems": True}
    )
    route: Annotated[Route | None, fields.ROUTE] = Field(None, description="How the entry reaches it.")
    check: CheckSpec = Field(default_factory=CheckSpec, description="The registry's health check.")


class HostSpec(Model):
    """A machine with a Docker engine of its own: `context` or `url` says how its engine is reached."""

    context: Annotated[str | None, fields.CONTEXT] = Field(None, description="The Docker context of its engine.")
    url: Annotated[str | None, fields.ENGINE_URL] = Field(
        None, description="Where its engine is: ssh://user@machine, or tcp://address:port."
    )
    address: Annotated[str | None, fields.ADDRESS] = Field(
        None,
        description="The machine's own IPv4 address, by which the other ones reach it; that of its engine without.",
    )


class StackSpec(Extensible):
    """What one stack.yaml describes."""

    name: Annotated[str, fields.STACK_NAME] = Field(
        description="The stack's name; the name of each of its containers begins with it."
    )
    engine: Annotated[EngineKind, choice(*get_args(EngineKind))] = Field(
        "compose", description="What runs the containers."
    )
    hosts: dict[Annotated[str, fields.HOST_NAME], HostSpec] = Field(
        default_factory=dict, description="The machines of the engine `hosts`, by name."
    )
    registry: RegistrySpec = Field(
        default_factory=RegistrySpec, description="Where instances are registered: consul, redis or static."
    )
    balancer: BalancerSpec = Field(default_factory=BalancerSpec, description="The entry.")
    services: dict[ServiceName, ServiceSpec] = Field(
        description="The workloads by name: `web: {image: whoami, port: 80}`.", json_schema_extra={"minProperties": 1}
    )
    external: dict[ServiceName, ExternalSpec] = Field(
        default_factory=dict, description="Endpoints that stackctl does not run, by name."
    )
