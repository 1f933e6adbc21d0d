"""How the Redis registry is laid out: a first master, its replicas, and the Sentinels that choose the next master.

Every node has an address of its own that stays when its container is made anew, and is known to the Sentinels by that:
names vanish with their containers, and addresses that the engine assigns change at every start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from stackctl.domain.desired import HealthCheck, Role, Workload
from stackctl.domain.registry import MASTER_NAME, RegistrySettings
from stackctl.domain.stack import RedisRegistry, Stack

PORT = 6379
SENTINEL_PORT = 26379
DATA = "/data"
REDIS_CONFIG = "/etc/stackctl/redis.conf"
SENTINEL_CONFIG = "/etc/stackctl/sentinel.conf"
# Beside Consul's 169.254.83: every stack has a network of its own, so each may use the same addresses.
LINK_LOCAL = "169.254.84"
FIRST_SENTINEL = 101
# Milliseconds. A master that was silent for the first is given up; the second bounds one attempt to replace it.
DOWN_AFTER = 1000
FAILOVER = 3000


def nodes(registry: RedisRegistry) -> Mapping[str, str]:
    """The names of the Redis nodes by their addresses; the first one is the master at first."""
    return {f"{LINK_LOCAL}.{number}": f"redis-{number}" for number in range(1, registry.replicas + 2)}


def sentinels(registry: RedisRegistry) -> Mapping[str, str]:
    """The names of the Sentinels by their addresses."""
    return {f"{LINK_LOCAL}.{FIRST_SENTINEL + n}": f"sentinel-{n + 1}" for n in range(registry.sentinels)}


def settings(registry: RedisRegistry) -> RegistrySettings:
    """How agents reach it: through the Sentinels, and all by name, because they are not on the nodes' own addresses."""
    return RegistrySettings(
        "redis",
        sentinels=tuple(f"{name}:{SENTINEL_PORT}" for name in sentinels(registry).values()),
        nodes=nodes(registry),
        password=registry.password,
        prefix=registry.prefix,
        ttl=registry.ttl,
    )


def workloads(stack: Stack, registry: RedisRegistry, image: str) -> tuple[Workload, ...]:
    """The nodes and the Sentinels, each with a volume of its own."""
    return (
        *(_node(registry, address, name, image) for address, name in nodes(registry).items()),
        *(_sentinel(stack, registry, address, name, image) for address, name in sentinels(registry).items()),
    )


def _node(registry: RedisRegistry, address: str, name: str, image: str) -> Workload:
    config = {
        "dir": DATA,
        **_access(registry, "requirepass", "masterauth"),
        "replica-announce-ip": address,
        "replica-announce-port": PORT,
        # Who watches a service is told by these: keyspace (K), generic (g), string ($), expired (x), evicted (e).
        "notify-keyspace-events": "Kg$xe",
        # A node that restarts keeps what it had: a master that came back empty would empty its replicas as well.
        "appendonly": "yes",
        "save": '""',
        # A replica that comes is served at once; the default waits 5 s for others that may come too.
        "repl-diskless-sync-delay": 0,
        "repl-ping-replica-period": 1,
        "repl-timeout": 5,
        "tcp-keepalive": 10,
    }
    return _workload(
        registry,
        name,
        image,
        role="redis",
        address=address,
        files={REDIS_CONFIG: _text(config.items())},
        health=("redis-cli", "-e", "ping"),
    )


def _sentinel(stack: Stack, registry: RedisRegistry, address: str, name: str, image: str) -> Workload:
    own: list[tuple[str, object]] = [
        ("dir", DATA),
        ("port", SENTINEL_PORT),
        *_access(registry, "requirepass", "sentinel sentinel-pass", f"sentinel auth-pass {MASTER_NAME}").items(),
        ("sentinel announce-ip", address),
        ("sentinel announce-port", SENTINEL_PORT),
        ("sentinel myid", _id(stack, name)),
        (f"sentinel down-after-milliseconds {MASTER_NAME}", DOWN_AFTER),
        (f"sentinel failover-timeout {MASTER_NAME}", FAILOVER),
        (f"sentinel parallel-syncs {MASTER_NAME}", max(1, registry.replicas)),
    ]
    # They know each other from the start: found through the master only, they could not vote on its loss before that.
    own += [
        (f"sentinel known-sentinel {MASTER_NAME}", f"{other} {SENTINEL_PORT} {_id(stack, called)}")
        for other, called in sentinels(registry).items()
        if other != address
    ]
    return _workload(
        registry,
        name,
        image,
        role="sentinel",
        address=address,
        files={SENTINEL_CONFIG: _text(own)},
        health=("redis-cli", "-e", "-p", str(SENTINEL_PORT), "sentinel", "ckquorum", MASTER_NAME),
    )


def _workload(
    registry: RedisRegistry,
    name: str,
    image: str,
    *,
    role: Role,
    address: str,
    files: Mapping[str, str],
    health: tuple[str, ...],
) -> Workload:
    return Workload(
        name=name,
        role=role,
        image=image,
        hostname=name,
        link_local=address,
        command=(role,),
        environment={
            "REGISTRY": MASTER_NAME,
            "SELF": address,
            "NODES": " ".join(nodes(registry)),
            "SENTINELS": " ".join(sentinels(registry)),
            "QUORUM": str(registry.sentinels // 2 + 1),
            # Not even empty without a password: redis-cli would offer that.
            **({"REDISCLI_AUTH": registry.password} if registry.password else {}),
        },
        configs=files,
        volumes={f"{name}-data": DATA},
        health=HealthCheck(health),
        capabilities=(),
    )


def _access(registry: RedisRegistry, *keys: str) -> Mapping[str, object]:
    """The settings by which a node asks for the password and gives it to others. Without one it must be told to answer
    other machines at all."""
    return dict.fromkeys(keys, registry.password) if registry.password else {"protected-mode": "no"}


def _id(stack: Stack, name: str) -> str:
    """A Sentinel's id, the same after its volume is made anew: under a new one it would count as one more voter."""
    return hashlib.sha1(f"{stack.name}/{name}".encode(), usedforsecurity=False).hexdigest()


def _text(settings: Iterable[tuple[str, object]]) -> str:
    """A config as Redis reads it; the spec's schema lets no value in that would need quotes."""
    return "".join(f"{key} {value}\n" for key, value in settings)
