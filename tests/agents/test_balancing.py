"""The balancer agent as a state machine: events lost, doubled and reordered end in one and the same config."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stackctl.agents.balancing import BURST, State, adopt, reduce
from stackctl.agents.balancing_events import (
    Answering,
    Applied,
    Apply,
    Ask,
    CatalogRead,
    Command,
    Drifted,
    Event,
    NamesRead,
    RegistryLost,
    Rejected,
    Tick,
    Told,
    Unwatch,
    WakeAt,
    Watch,
)
from stackctl.domain.balancer import BalancerSettings, RoutedService, Target
from stackctl.domain.catalog import Catalog, CatalogEntry
from stackctl.domain.registry import RegistrySettings
from stackctl.domain.route import Route
from tests.building import backends, endpoint, entry

WEB = RoutedService("web", "web", Route("path"))
SETTINGS = BalancerSettings("shop", "example.test", False, 0.5, 30.0, RegistrySettings("consul"), (WEB,))


def read(*numbers: int, at: float = 0.0) -> CatalogRead:
    return CatalogRead(Catalog("web", tuple(map(entry, numbers))), at)


def web(*numbers: int) -> Target:
    return Target((WEB,), backends(*numbers))


def found(name: str, *, at: float = 1.0, tags: tuple[str, ...] = (), **meta: str) -> CatalogRead:
    """One instance of a service that the spec does not know."""
    only = CatalogEntry(f"{name}-a", name, endpoint(77), f"{name}-a", tags=tags, meta=tuple(meta.items()))
    return CatalogRead(Catalog(name, (only,)), at)


def play(state: State, *events: Event) -> tuple[State, list[Command]]:
    commands: list[Command] = []
    for event in events:
        state, more = reduce(state, event)
        commands += more
    return state, commands


def test_leading_edge() -> None:
    """The first change is applied at once."""
    _, commands = play(adopt(SETTINGS, Target()), read(1))
    assert commands == [Apply(web(1))]


def test_changes_gather_while_nginx_reloads() -> None:
    """Fifty registrations during one reload become one more reload."""
    state, commands = play(adopt(SETTINGS, Target()), *(read(*range(1, n + 1), at=n / 1000) for n in range(1, 51)))
    assert commands == [Apply(web(1))]
    _, commands = play(state, Applied(web(1), 0.06))
    assert commands == [Apply(web(*range(1, 51)))]


def test_bucket() -> None:
    """More reloads than the bucket holds wait for its refill instead of being dropped."""
    state, at, applied = adopt(SETTINGS, Target()), 0.0, 0
    commands: list[Command] = []
    for number in range(1, 10):
        state, commands = play(state, read(number, at=at))
        if commands and isinstance(commands[0], Apply):
            applied += 1
            state, _ = play(state, Applied(commands[0].target, at))
    assert applied == BURST
    assert isinstance(commands[-1], WakeAt)
    _, commands = play(state, Tick(commands[-1].at))
    assert commands == [Apply(web(9))]


def test_registry_lost_changes_nothing() -> None:
    """No answer is no news."""
    state, _ = play(adopt(SETTINGS, Target()), read(1), Applied(web(1), 0.1))
    state, commands = play(state, RegistryLost("web", "no leader"))
    assert commands == []
    assert state.registry_lost == {"web": "no leader"}
    assert play(state, read(1))[0].registry_lost == {}
    assert state.wanted == web(1)


def test_true_zero() -> None:
    """An answer that knows instances and calls none healthy empties the config at once."""
    state, _ = play(adopt(SETTINGS, Target()), read(1), Applied(web(1), 0.1))
    _, commands = play(state, CatalogRead(Catalog("web", (entry(1, passing=False),)), 1.0))
    assert commands == [Apply(web())]
    _, commands = play(state, CatalogRead(Catalog("web", (entry(1, draining=True),)), 1.0))
    assert commands == [Apply(web())]


def test_forgotten_and_dead() -> None:
    """A service that the registry has forgotten is emptied as soon as no instance answers."""
    state, _ = play(adopt(SETTINGS, Target()), read(1, 2), Applied(web(1, 2), 0.1))
    state, commands = play(state, read(at=1.0), read(at=1.1))
    assert commands == [Ask("web", backends(1, 2)["web"])]
    _, commands = play(state, Answering("web", (), 1.3))
    assert commands == [Apply(web())]


def test_forgotten_and_alive() -> None:
    """While instances answer, a registry that was made anew is not believed, but not for ever."""
    state, _ = play(adopt(SETTINGS, Target()), read(1, 2), Applied(web(1, 2), 0.1))
    state, _ = play(state, read(at=1.0))
    alive = backends(1)["web"]
    state, commands = play(state, Answering("web", alive, 1.3))
    assert commands == [Ask("web", alive, 0.25)]
    remembered, commands = play(state, read(1, 2, at=2.0), Answering("web", alive, 2.1))
    assert commands == []
    assert remembered.doubted == {}
    _, commands = play(state, Answering("web", alive, 11.0))
    assert commands == [Apply(web())]


def test_lost_registry_agent_is_not_lost_instances() -> None:
    """When only the node of the registry's agent fails, its instances stay."""
    gone = Catalog("web", (entry(1, node_alive=False), entry(2, node_alive=False)))
    state, _ = play(adopt(SETTINGS, Target()), read(1, 2), Applied(web(1, 2), 0.1))
    _, commands = play(state, CatalogRead(gone, 1.0))
    assert commands == []


def test_restarted_registry_agent_has_not_asked_yet() -> None:
    """Until its checks are made, who was served goes on, at what it registered last, and nobody new is let in."""
    unasked = Catalog("web", tuple(replace(entry(n), passing=False, unasked=True) for n in (1, 3)))
    state, _ = play(adopt(SETTINGS, Target()), read(1, 2), Applied(web(1, 2), 0.1))
    state, commands = play(state, CatalogRead(unasked, 1.0))
    assert commands == [Apply(web(1))]
    failed = Catalog("web", (entry(1, passing=False), entry(3)))
    assert play(state, Applied(web(1), 1.1), CatalogRead(failed, 2.0))[1] == [Apply(web(3))]


def test_unasked_and_draining() -> None:
    """Who is about to leave leaves, asked or not."""
    state, _ = play(adopt(SETTINGS, Target()), read(1, 2), Applied(web(1, 2), 0.1))
    leaving = replace(entry(1, draining=True), passing=False, unasked=True)
    assert play(state, CatalogRead(Catalog("web", (leaving, entry(2))), 1.0))[1] == [Apply(web(2))]


def test_restart_adopts_what_runs() -> None:
    """An agent that starts anew keeps the running config until the registry says otherwise."""
    state = adopt(SETTINGS, web(1, 2))
    assert play(state, Tick(0.0), RegistryLost("web", "not there yet"))[1] == []
    assert play(state, read(1, 2))[1] == []
    assert play(state, read(1))[1] == [Apply(web(1))]


def test_unknown_running_config_is_replaced() -> None:
    """Where nobody knows what runs, the next answer is applied."""
    assert play(adopt(SETTINGS, None), read())[1] == [Apply(web())]


def test_rejected_is_tried_again_later() -> None:
    """A refused config is not tried in a loop, but it is tried again, and another one at once."""
    state, _ = play(adopt(SETTINGS, Target()), read(1))
    state, commands = play(state, Rejected(web(1), "no", 1.0))
    assert commands == [WakeAt(6.0)]
    assert play(state, Tick(5.9))[1] == [WakeAt(6.0)]
    assert play(state, Tick(6.0))[1] == [Apply(web(1))]
    assert play(state, read(2, at=2.0))[1] == [Apply(web(2))]


def test_drift_is_repaired() -> None:
    """A file edited by hand is written anew."""
    state, _ = play(adopt(SETTINGS, Target()), read(1), Applied(web(1), 0.1))
    assert play(state, Drifted("edited", 9.0))[1] == [Apply(web(1))]


def test_a_service_that_only_the_registry_knows() -> None:
    """It is followed as soon as its name is there, routed as it asks, and forgotten when it is gone."""
    state, commands = play(adopt(SETTINGS, web()), NamesRead(("shop-consul", "web"), 0.0))
    assert commands == [Watch("shop-consul")]
    state, commands = play(state, NamesRead(("api", "shop-consul", "web"), 0.1), found("api", tags=("http",)))
    assert commands[0] == Watch("api") and isinstance(commands[1], Apply)
    api = RoutedService("api", "api", Route("host", host="api.example.test"))
    assert commands[1].target.services == (WEB, api)
    assert [backend.id for backend in commands[1].target.backends["api"]] == ["api-a"]
    state, _ = play(state, Applied(commands[1].target, 1.1))
    state, commands = play(state, NamesRead(("shop-consul", "web"), 2.0))
    assert commands == [], "its instances are believed until they are seen to be gone"
    state, commands = play(state, CatalogRead(Catalog("api"), 2.1), Answering("api", (), 2.2))
    assert commands[1:] == [Unwatch("api"), Apply(web())]


def test_a_route_is_given_once() -> None:
    """What the spec has routed, or a service before it by name, is not taken away; whoever wanted it is named."""
    state, _ = play(adopt(SETTINGS, web()), NamesRead(("a", "b", "c"), 0.0))
    state, _ = play(state, found("a", route="/"), found("b", route="/b"), found("c", route="/b"))
    assert [service.name for service in state.wanted.services] == ["web", "b"]
    assert state.problems == {"a": "the path / belongs to the stack's web", "c": "the path /b belongs to b"}


def test_a_refused_registration_freezes_nobody() -> None:
    """Where nginx refuses a config with a service of the registry's alone, that one is left out and named."""
    state, commands = play(adopt(SETTINGS, web()), NamesRead(("a",), 0.0), found("a", route="/a"))
    target = next(command.target for command in commands if isinstance(command, Apply))
    state, commands = play(state, Rejected(target, "no", 1.1))
    assert commands == [Apply(web())]
    assert state.problems == {"a": "nginx refused a config with it: no"}
    state, commands = play(state, Applied(web(), 1.2))
    assert commands == [WakeAt(61.1)]
    _, commands = play(state, Tick(61.1))
    assert commands == [Apply(target)], "what was refused may have been the moment's fault"
    state, _ = play(state, found("a", route="/b", at=2.0))
    assert [s.name for s in state.wanted.services] == ["web", "a"], "it asks for something else: another chance"


def test_told() -> None:
    """New settings are followed at once, new services watched, and what ran before is applied anew."""
    state, _ = play(adopt(SETTINGS, web(1)), read(1))
    api = RoutedService("api", "api", Route("path", "/api"))
    state, commands = play(state, Told(replace(SETTINGS, services=(WEB, api)), 1.0))
    assert commands[0] == Watch("api")
    assert isinstance(commands[1], Apply) and commands[1].target.services == (WEB, api)
    assert commands[1].target.backends["web"] == backends(1)["web"]
    assert play(state, Told(state.settings, 2.0))[1] == []


def test_told_while_nginx_reloads() -> None:
    """What is confirmed or refused afterwards was rendered from the settings before, and says nothing of these."""
    state, (apply,) = play(adopt(SETTINGS, web()), read(1))
    assert isinstance(apply, Apply)
    told = Told(replace(SETTINGS, connect_timeout=9.0), 1.0)
    for ended in (Applied(apply.target, 2.0), Rejected(apply.target, "no", 2.0)):
        after, commands = play(state, told, ended)
        assert commands == [Apply(apply.target)]
        after, commands = play(after, Applied(apply.target, 3.0), Tick(4.0))
        assert commands == [] and after.applied == apply.target


def test_a_route_that_is_none() -> None:
    """An instance that asks for nonsense is set aside; nothing of it reaches a config."""
    state, commands = play(adopt(SETTINGS, web()), NamesRead(("a",), 0.0), found("a", route="/x;}"))
    assert commands == [Watch("a")]
    assert state.problems == {"a-a": "'/x;}' is no route"}


READS = st.lists(st.sets(st.integers(1, 6)), min_size=1, max_size=8)


@given(READS, st.data())
def test_any_history_ends_the_same(history: list[set[int]], data: st.DataObject) -> None:
    """Reads lost, doubled and reordered, with failures between them, and one last read: the config is that read's."""
    state, at, pending, refusals = adopt(SETTINGS, Target()), 0.0, None, 3
    shuffled = data.draw(st.permutations(history + history[: len(history) // 2]))
    kept = [numbers for numbers in shuffled if data.draw(st.booleans())]
    events: list[Event] = [read(*sorted(numbers)) for numbers in kept]
    events += [RegistryLost("web", "away")]
    final = sorted(history[-1])
    queue: list[Event] = [*events, read(*final)]
    running_config = Target()
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
            elif not isinstance(command, Apply):
                continue
            elif refusals and data.draw(st.booleans()):
                refusals -= 1
                queue.insert(0, Rejected(command.target, "refused", at))
            else:
                running_config = command.target
                queue.insert(0, Applied(command.target, at))
    assert running_config.backends.get("web", ()) == backends(*final)["web"]
