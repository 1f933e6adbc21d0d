"""The balancer agent as a state machine: events lost, doubled and reordered end in one and the same config."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stackctl.agents.balancing import (
    BURST,
    Answering,
    Applied,
    Apply,
    Ask,
    CatalogRead,
    Command,
    Drifted,
    Event,
    RegistryLost,
    Rejected,
    State,
    Tick,
    WakeAt,
    adopt,
    reduce,
)
from stackctl.domain.balancer import Backends, BalancerSettings, RoutedService
from stackctl.domain.catalog import Catalog
from stackctl.domain.stack import Route
from tests.building import backends, entry

SETTINGS = BalancerSettings(
    "shop", "example.test", False, 0.5, 30.0, "consul://c:8500", (RoutedService("web", "web", Route("path")),)
)


def read(*numbers: int, at: float = 0.0) -> CatalogRead:
    return CatalogRead(Catalog("web", tuple(map(entry, numbers))), at)


def play(state: State, *events: Event) -> tuple[State, list[Command]]:
    commands: list[Command] = []
    for event in events:
        state, more = reduce(state, event)
        commands += more
    return state, commands


def test_leading_edge() -> None:
    """The first change is applied at once."""
    _, commands = play(adopt(SETTINGS, {}), read(1))
    assert commands == [Apply(backends(1))]


def test_changes_gather_while_nginx_reloads() -> None:
    """Fifty registrations during one reload become one more reload."""
    state, commands = play(adopt(SETTINGS, {}), *(read(*range(1, n + 1), at=n / 1000) for n in range(1, 51)))
    assert commands == [Apply(backends(1))]
    _, commands = play(state, Applied(backends(1), 0.06))
    assert commands == [Apply(backends(*range(1, 51)))]


def test_bucket() -> None:
    """More reloads than the bucket holds wait for its refill instead of being dropped."""
    state, at, applied = adopt(SETTINGS, {}), 0.0, 0
    commands: list[Command] = []
    for number in range(1, 10):
        state, commands = play(state, read(number, at=at))
        if commands and isinstance(commands[0], Apply):
            applied += 1
            state, _ = play(state, Applied(commands[0].backends, at))
    assert applied == BURST
    assert isinstance(commands[-1], WakeAt)
    _, commands = play(state, Tick(commands[-1].at))
    assert commands == [Apply(backends(9))]


def test_registry_lost_changes_nothing() -> None:
    """No answer is no news."""
    state, _ = play(adopt(SETTINGS, {}), read(1), Applied(backends(1), 0.1))
    state, commands = play(state, RegistryLost("web", "no leader"))
    assert commands == []
    assert state.registry_lost == {"web": "no leader"}
    assert play(state, read(1))[0].registry_lost == {}
    assert state.wanted == backends(1)


def test_true_zero() -> None:
    """An answer that knows instances and calls none healthy empties the config at once."""
    state, _ = play(adopt(SETTINGS, {}), read(1), Applied(backends(1), 0.1))
    _, commands = play(state, CatalogRead(Catalog("web", (entry(1, passing=False),)), 1.0))
    assert commands == [Apply({"web": ()})]
    _, commands = play(state, CatalogRead(Catalog("web", (entry(1, draining=True),)), 1.0))
    assert commands == [Apply({"web": ()})]


def test_forgotten_and_dead() -> None:
    """A service that the registry has forgotten is emptied as soon as no instance answers."""
    state, _ = play(adopt(SETTINGS, {}), read(1, 2), Applied(backends(1, 2), 0.1))
    state, commands = play(state, read(at=1.0), read(at=1.1))
    assert commands == [Ask("web", backends(1, 2)["web"])]
    _, commands = play(state, Answering("web", (), 1.3))
    assert commands == [Apply({"web": ()})]


def test_forgotten_and_alive() -> None:
    """While instances answer, a registry that was made anew is not believed, but not for ever."""
    state, _ = play(adopt(SETTINGS, {}), read(1, 2), Applied(backends(1, 2), 0.1))
    state, _ = play(state, read(at=1.0))
    alive = backends(1)["web"]
    state, commands = play(state, Answering("web", alive, 1.3))
    assert commands == [Ask("web", alive, 0.25)]
    remembered, commands = play(state, read(1, 2, at=2.0), Answering("web", alive, 2.1))
    assert commands == []
    assert remembered.doubted == {}
    _, commands = play(state, Answering("web", alive, 11.0))
    assert commands == [Apply({"web": ()})]


def test_lost_registry_agent_is_not_lost_instances() -> None:
    """When only the node of the registry's agent fails, its instances stay."""
    gone = Catalog("web", (entry(1, node_alive=False), entry(2, node_alive=False)))
    state, _ = play(adopt(SETTINGS, {}), read(1, 2), Applied(backends(1, 2), 0.1))
    _, commands = play(state, CatalogRead(gone, 1.0))
    assert commands == []


def test_restart_adopts_what_runs() -> None:
    """An agent that starts anew keeps the running config until the registry says otherwise."""
    state = adopt(SETTINGS, backends(1, 2))
    assert play(state, Tick(0.0), RegistryLost("web", "not there yet"))[1] == []
    assert play(state, read(1, 2))[1] == []
    assert play(state, read(1))[1] == [Apply(backends(1))]


def test_unknown_running_config_is_replaced() -> None:
    """Where nobody knows what runs, the next answer is applied."""
    assert play(adopt(SETTINGS, None), read())[1] == [Apply({"web": ()})]


def test_rejected_is_tried_again_later() -> None:
    """A refused config is not tried in a loop, but it is tried again, and another one at once."""
    state, _ = play(adopt(SETTINGS, {}), read(1))
    state, commands = play(state, Rejected(backends(1), "no", 1.0))
    assert commands == [WakeAt(6.0)]
    assert play(state, Tick(5.9))[1] == [WakeAt(6.0)]
    assert play(state, Tick(6.0))[1] == [Apply(backends(1))]
    assert play(state, read(2, at=2.0))[1] == [Apply(backends(2))]


def test_drift_is_repaired() -> None:
    """A file edited by hand is written anew."""
    state, _ = play(adopt(SETTINGS, {}), read(1), Applied(backends(1), 0.1))
    assert play(state, Drifted("edited", 9.0))[1] == [Apply(backends(1))]


READS = st.lists(st.sets(st.integers(1, 6)), min_size=1, max_size=8)


@given(READS, st.data())
def test_any_history_ends_the_same(history: list[set[int]], data: st.DataObject) -> None:
    """Reads lost, doubled and reordered, with failures between them, and one last read: the config is that read's."""
    state, at, pending, refusals = adopt(SETTINGS, {}), 0.0, None, 3
    shuffled = data.draw(st.permutations(history + history[: len(history) // 2]))
    kept = [numbers for numbers in shuffled if data.draw(st.booleans())]
    events: list[Event] = [read(*sorted(numbers)) for numbers in kept]
    events += [RegistryLost("web", "away")]
    final = sorted(history[-1])
    queue: list[Event] = [*events, read(*final)]
    running_config: Backends = {}
    pending: Tick | None
    for _ in range(200):
        if queue:
            event = queue.pop(0)
        elif pending is not None:
            event, pending = pending, None
        else:
            break
        at += 0.01
        event = event if isinstance(event, RegistryLost) else replace(event, at=max(at, getattr(event, "at", 0.0)))
        at = max(at, getattr(event, "at", at))
        state, commands = reduce(state, event)
        for command in commands:
            if isinstance(command, WakeAt):
                pending = Tick(command.at)
            elif isinstance(command, Ask):
                queue.append(Answering(command.service, (), at))
            elif refusals and data.draw(st.booleans()):
                refusals -= 1
                queue.insert(0, Rejected(command.backends, "refused", at))
            else:
                running_config = command.backends
                queue.insert(0, Applied(command.backends, at))
    assert running_config.get("web", ()) == backends(*final)["web"]
