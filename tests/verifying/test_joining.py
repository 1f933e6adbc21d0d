"""What is said of new instances alone, while others may do what they want."""

from __future__ import annotations

from dataclasses import replace

from stackctl.domain.catalog import Catalog, SetAside
from stackctl.domain.instance import EngineState, Run
from stackctl.domain.observation import Observation, Traffic
from stackctl.domain.plan import Operation, Plan
from stackctl.domain.verdict import Expectation
from stackctl.planning.expected import expectation
from stackctl.verifying.joining import broken, lacking, not_succeeded, refused
from stackctl.verifying.judge import judge
from tests.building import backends, endpoint, instance, observation, stack, traffic

NEW = ("shop-web-3",)
GOAL = expectation(stack(3))
WEB = GOAL.services[0]


def told(seen: Observation, *, asked: bool = True) -> str:
    (verdict,) = judge(GOAL, seen).services
    return str(lacking(NEW, GOAL, WEB, verdict, traffic=asked))


def test_ended() -> None:
    """An instance that ended, restarts, is unhealthy or gone is not waited for."""

    def of(run: Run = Run(), **values: object) -> str:  # noqa: B008 -- it is frozen
        seen = EngineState((instance(3, **values),))  # type: ignore[arg-type]
        return str(broken(NEW, seen, {"shop-web-3": run}))

    assert of() == "None"
    assert of(state="restarting", run=Run(2, 1)) == (
        "shop-web-3 at engine: it is restarting, restarted 2 times (exit code 1)"
    )
    assert of(run=Run(1, 137, True)) == "shop-web-3 at engine: it ended, restarted once (it ran out of memory)"
    assert of(health="unhealthy") == "shop-web-3 at engine: its health check fails: it is unhealthy"
    assert str(broken(NEW, EngineState(), {})) == "shop-web-3 at engine: it is gone"


def test_layer_by_layer() -> None:
    """The first layer that lacks the new instance is named; when all have it, nothing is."""
    seen = observation(1, 2, 3)
    assert told(seen) == "None"
    (balancer,) = seen.balancers
    unmet = {"web": traffic(1, 2)}
    assert "at traffic" in told(replace(seen, entries={"entry 127.0.0.1:8080": unmet}))
    assert told(replace(seen, entries={}), asked=False) == "None"
    assert "at config: it is not served by shop-lb-1" in told(
        replace(seen, balancers=(replace(balancer, backends=backends(1, 2)),))
    )
    assert "at config" in told(replace(seen, balancers=()))
    assert "at registry" in told(replace(seen, catalogs={}))
    assert "at engine" in told(replace(seen, engine=EngineState((instance(1), instance(2)))))


def test_others_may_be_broken() -> None:
    """Errors of an old instance are no reason to keep it: the new one is judged alone."""
    seen = observation(1, 2, 3)
    ill = Traffic(12, {str(endpoint(2)): 4, str(endpoint(3)): 4}, {str(endpoint(1)): 4}, ("10.0.0.1:80: status 500",))
    seen = replace(seen, entries={"entry 127.0.0.1:8080": {"web": ill}})
    assert not judge(GOAL, seen).agrees
    assert refused(NEW, WEB, seen) is None
    assert told(seen) == "None"
    assert str(refused(("shop-web-1",), WEB, seen)) == (
        "shop-web-1 at traffic: through entry 127.0.0.1:8080: status 500"
    )


def test_set_aside() -> None:
    """A registration that may not reach a config will not become one by waiting."""
    aside = Catalog("web", set_aside=(SetAside("shop-web-3", "web", "the weight 'x' is no number"),))
    seen = replace(observation(1, 2), catalogs={"web": aside})
    assert str(refused(NEW, WEB, seen)) == "shop-web-3 at registry: it is set aside: the weight 'x' is no number"


def drains(*numbers: int, made: str = "") -> Plan:
    """A plan that takes these away, and perhaps makes another one."""
    leaving = (Operation("drain", "web", f"shop-web-{number}", "cause") for number in numbers)
    return Plan("shop", (*((Operation("create", "web", made, "cause"),) if made else ()), *leaving))


def holds(plan: Plan, goal: Expectation, seen: Observation) -> str:
    return str(not_succeeded(plan, goal, judge(goal, seen), seen.engine))


def test_who_stays_serves() -> None:
    """What serves leaves only while what stays serves too, whoever made it and whenever."""
    one, seen = expectation(stack(1)), observation(1, 2, 3)
    assert holds(drains(2, 3), one, seen) == "None"
    ill = replace(seen, engine=EngineState((instance(1, health="unhealthy"), instance(2), instance(3))))
    assert holds(drains(2, 3), one, ill).startswith("shop-web-1 at engine: ")
    failing = {"web": replace(traffic(2, 3), failed={str(endpoint(1)): 4})}
    assert holds(drains(2, 3), one, replace(seen, entries={"entry 127.0.0.1:8080": failing})).startswith(
        "shop-web-1 at traffic: "
    )
    assert "has 0 that stay, and 1 must" in holds(drains(1, 2, 3), one, seen)


def test_canaries_are_counted() -> None:
    """They are among those that the stack wants, and whether they serve is their deployment's affair."""
    canary = replace(instance(1, health="unhealthy"), canary=25)
    seen = replace(observation(1, 2, 3), engine=EngineState((canary, instance(2), instance(3))))
    assert holds(drains(3), expectation(stack(2)), seen) == "None"
    assert "has 2 that stay, and 3 must" in holds(drains(3), expectation(stack(3)), seen)


def test_who_is_not_missed() -> None:
    """What does not serve leaves at once, unless something was made in its place: that must serve first."""
    one = expectation(stack(1))
    ill = EngineState((instance(1, health="unhealthy"), instance(2, state="restarting")))
    seen = replace(observation(1, 2), engine=ill)
    assert holds(drains(2), one, seen) == "None"
    assert holds(drains(2, made="shop-web-1"), one, seen).startswith("shop-web-1 at engine: ")
    assert holds(drains(1, 2), expectation(stack(0)), seen) == "None"
