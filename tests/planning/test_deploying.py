"""Rollouts, step by step, as the text that people read; and that nobody can interleave them into an outage."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.desired import Workload
from stackctl.domain.instance import EngineState, Instance, State
from stackctl.planning.deploying import Rollout, next_step, rehearse
from tests.building import instance

WEB = Workload("web", "service", "whoami:2")
ROLLOUT = Rollout("shop", "web", 3, digest="new", cause="web changed")


def web(number: int, digest: str = "old", state: State = "running", canary: int = 0) -> Instance:
    return replace(instance(number, digest=digest, state=state), canary=canary)


def step(*seen: Instance, proven: tuple[int, ...] = (), rollout: Rollout = ROLLOUT) -> list[str]:
    ids = frozenset(f"shop-web-{number}" for number in proven)
    return str(next_step(rollout, EngineState(seen), ids)).splitlines()


def test_surge_first() -> None:
    """The first step starts one more instance, and says for which one."""
    assert step(web(1), web(2), web(3)) == ["create   shop-web-4  (replaces shop-web-3: web changed)"]


def test_proof_before_anything_else() -> None:
    """What has just been started is proven, and nothing is drained before."""
    assert step(web(1), web(2), web(3), web(4, "new")) == ["prove    shop-web-4"]


def test_drain_what_was_replaced() -> None:
    """Once the new instance is proven, one old one leaves."""
    assert step(web(1), web(2), web(3), web(4, "new"), proven=(4,)) == ["drain    shop-web-3  (web changed)"]


def test_unhealthy_ones_leave_first() -> None:
    """An old instance that serves nobody leaves before those that do."""
    ill = replace(web(1), health="unhealthy")
    assert step(ill, web(2), web(3), web(4, "new"), proven=(4,)) == ["drain    shop-web-1  (web changed)"]


def test_over() -> None:
    """When every wanted instance is new and proven, nothing is left to do."""
    seen = (web(4, "new"), web(5, "new"), web(6, "new"))
    assert step(*seen, proven=(4, 5, 6)) == ["nothing to do"]


def test_parallel() -> None:
    """Several at once start together and leave together, the last turn with what is left."""
    rollout = replace(ROLLOUT, parallel=2, digest=WEB.digest)
    plan = rehearse(rollout, EngineState((web(1), web(2), web(3))), WEB)
    verbs = [operation.verb for operation in plan.operations]
    assert verbs == ["create", "create", "drain", "drain", "create", "drain"]


def test_interrupted() -> None:
    """What an interrupted rollout left is taken up where it is: started, proven, or drained as surplus."""
    assert step(web(1), web(2), web(3), web(4, "new", "created")) == ["start    shop-web-4  (it is created)"]
    done = (web(4, "new"), web(5, "new"), web(6, "new"), web(7, "new"))
    assert step(*done, proven=(4, 5, 6, 7)) == ["drain    shop-web-7  (web has 4 instances, 3 are wanted)"]


def test_old_ones_that_do_not_run() -> None:
    """Old instances that run no more are removed first, lest they be started again."""
    assert step(web(1, state="exited"), web(2), web(3)) == ["drain    shop-web-1  (it is exited, and web changed)"]


def test_forced() -> None:
    """Instances that are named are replaced, whatever their definition."""
    forced = replace(ROLLOUT, replicas=1, replaced=frozenset({"c1"}), cause="asked for by --force")
    assert step(web(1, "new"), rollout=forced) == ["create   shop-web-2  (replaces shop-web-1: asked for by --force)"]
    seen = (web(1, "new"), web(2, "new"))
    assert step(*seen, proven=(2,), rollout=forced) == ["drain    shop-web-1  (asked for by --force)"]


def test_canary() -> None:
    """A canary is one more beside the others, whom it leaves alone."""
    canary = replace(ROLLOUT, replicas=1, canary=True)
    assert step(web(1), web(2), web(3), rollout=canary) == ["create   shop-web-4  (the canary)"]
    seen = (web(1), web(2), web(3), web(4, "new", canary=10))
    assert step(*seen, proven=(4,), rollout=canary) == ["nothing to do"]


def test_promoted() -> None:
    """The canary is no capacity: it goes last, when as many new instances as wanted serve."""
    promoted = replace(ROLLOUT, replicas=1, retire="the canary is promoted")
    canary = web(2, "canary", canary=10)
    assert step(web(1), canary, rollout=promoted) == ["create   shop-web-3  (replaces shop-web-1: web changed)"]
    assert step(canary, web(3, "new"), proven=(3,), rollout=promoted) == [
        "drain    shop-web-2  (the canary is promoted)"
    ]


def test_aborted() -> None:
    """An aborted canary goes, and nothing else happens."""
    aborted = Rollout("shop", "web", 1, retire="the canary is aborted")
    seen = (web(1), web(2, "canary", canary=10))
    assert step(*seen, proven=(1,), rollout=aborted) == ["drain    shop-web-2  (the canary is aborted)"]


def test_undone() -> None:
    """Undoing is a rollout whose outdated instances are the new ones."""
    undo = Rollout("shop", "web", 2, replaced=frozenset({"c3"}), cause="it is rolled back")
    assert step(web(2), web(3, "new"), proven=(2,), rollout=undo) == [
        "create   shop-web-4  (replaces shop-web-3: it is rolled back)"
    ]


STATES = st.sampled_from(["running", "exited", "paused", "created"])


@given(
    replicas=st.integers(1, 5),
    parallel=st.integers(1, 4),
    kinds=st.lists(st.tuples(STATES, st.booleans()), max_size=7),
    interruptions=st.lists(st.booleans(), max_size=40),
)
def test_every_interleaving_ends_well(
    replicas: int, parallel: int, kinds: list[tuple[State, bool]], interruptions: list[bool]
) -> None:
    """From any start, interrupted anywhere: it ends with the wanted number of new instances, and at no time do fewer
    than wanted serve, once as many did."""
    rollout = replace(ROLLOUT, replicas=replicas, parallel=parallel)
    # A new one that has ended fails its proof: that is another story.
    kinds = [("created" if new and state == "exited" else state, new) for state, new in kinds]
    world = {i.id: i for i in (web(n, "new" if new else "old", s) for n, (s, new) in enumerate(kinds, start=1))}
    proven: set[str] = set()
    serving = [len([i for i in world.values() if i.state == "running"])]
    forgets = iter(interruptions)
    for _ in range(200):
        todo = next_step(rollout, EngineState(tuple(world.values())), frozenset(proven))
        if not todo:
            break
        if next(forgets, False):  # killed before this step, or in the middle of it
            proven.clear()
            todo = next_step(rollout, EngineState(tuple(world.values())), frozenset())
            operations = todo.plan.operations[:1]
        else:
            proven |= set(todo.prove)
            operations = todo.plan.operations
        for operation in operations:
            number = int(operation.instance.rpartition("-")[2])
            if operation.verb == "drain":
                del world[operation.instance]
            else:
                world[operation.instance] = web(number, "new")
        serving.append(len([i for i in world.values() if i.state == "running"]))
    assert sorted(i.digest for i in world.values()) == ["new"] * replicas
    assert all(after >= min(before, replicas) for before, after in pairwise(serving))
    assert max(serving) <= max(serving[0], len(kinds), replicas + parallel)
