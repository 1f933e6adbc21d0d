"""What the nodes of a Redis registry are told, with a password and without."""

from __future__ import annotations

import pytest

from stackctl.domain.desired import Workload
from stackctl.domain.stack import RedisRegistry, Stack
from stackctl.planning.redis import REDIS_CONFIG, SENTINEL_CONFIG, settings, workloads
from tests.golden import golden

PASSWORD = "s3cret"


def planned(registry: RedisRegistry) -> dict[str, Workload]:
    """Its workloads by name."""
    return {workload.name: workload for workload in workloads(Stack("shop", ()), registry, "redis:test")}


@pytest.mark.parametrize(("kind", "password"), [("open", ""), ("password", PASSWORD)])
def test_whole_configs(kind: str, password: str) -> None:
    """The configs of a node and of a Sentinel in full; without a password they are told to answer other machines."""
    told = planned(RedisRegistry(password=password))
    golden(f"redis/{kind}/redis.conf", str(told["redis-1"].configs[REDIS_CONFIG]))
    golden(f"redis/{kind}/sentinel.conf", str(told["sentinel-1"].configs[SENTINEL_CONFIG]))


def test_nobody_offers_what_nobody_asks_for() -> None:
    """Without a password, redis-cli in the containers and the agents have none, not even an empty one to offer."""
    asked, unasked = planned(RedisRegistry(password=PASSWORD)), planned(RedisRegistry())
    assert {workload.environment["REDISCLI_AUTH"] for workload in asked.values()} == {PASSWORD}
    assert not any("REDISCLI_AUTH" in workload.environment for workload in unasked.values())
    assert (settings(RedisRegistry(password=PASSWORD)).password, settings(RedisRegistry()).password) == (PASSWORD, "")
