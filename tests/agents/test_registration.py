"""What the registrator decides, event by event, and that no event is needed for the end to be right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stackctl.agents.leaving import Look, Looked, Release
from stackctl.agents.registration import STOP_MARGIN, State, problems, reduce
from stackctl.agents.registration_events import (
    Abandon,
    Answered,
    Ask,
    Command,
    Deregister,
    Died,
    Event,
    Held,
    Listed,
    Mark,
    Marked,
    Observed,
    Probe,
    Register,
    RegistryLost,
    Signalled,
    Vanished,
)
from stackctl.domain.balancer import Backend
from stackctl.domain.catalog import Registration, RegistryCheck
from stackctl.domain.container import Container
from stackctl.domain.conventions import Question, Scope, claims
from stackctl.domain.instance import Endpoint
from stackctl.domain.observation import BalancerSeen

SCOPE = Scope("shop", "net", "shop/host-1")
TERM, KILL, HUP, QUIT, WINCH, URG = 15, 9, 1, 3, 28, 23


def container(number: int = 1, **facts: Any) -> Container:
    """A running instance of the stack."""
    known: dict[str, Any] = {
        "labels": {"stackctl.stack": "shop", "stackctl.register": "registrator", "stackctl.port": "80"},
        "networks": {"net": f"10.0.0.{number}"},
        "created": float(number),
        "started": 100.0,
        "state": "running",
    }
    return Container(f"c{number}", f"web-{number}", "web", **(known | facts))


def registration(of: Container, owner: str = SCOPE.owner) -> Registration:
    """The only registration that a container asks for."""
    return replace(claims(of, SCOPE).wanted[0].registration, owner=owner)


def ask(of: Container) -> Ask:
    """The only question to a container."""
    return Ask(of.id, of.started, Question(Endpoint(of.networks["net"], 80)))


def play(*events: Event, state: State | None = None) -> tuple[State, list[Command]]:
    """The state after these events, and all commands on the way."""
    commands: list[Command] = []
    state = state or State(SCOPE)
    for event in events:
        state, more = reduce(state, event)
        commands += more
    return state, commands


def serving(*containers: Container) -> State:
    """The state of an agent that has registered these containers."""
    observed = [Observed(each, 101.0) for each in containers]
    state, _ = play(Held(()), *observed, Listed(), *(Answered(ask(each)) for each in containers))
    assert state.registered == len(containers)
    return state


def test_registered_the_moment_it_answers() -> None:
    """A new container is asked once, and registered with its answer, not before."""
    web = container()
    state, commands = play(Held(()), Listed(), Observed(web, 101), Observed(web, 102))
    assert commands == [Probe(ask(web))]
    state, commands = play(Answered(ask(web)), Answered(ask(web)), state=state)
    assert commands == [Register(registration(web))]


def test_deregistered_by_its_signal() -> None:
    """A container that is asked to end is out at once, before it has ended, and stays out while it ends."""
    web = container()
    state, commands = play(Signalled("c1", TERM, 200.0), Observed(web, 200.1), state=serving(web))
    assert commands == [Deregister("web-1")]
    state, commands = play(Died("c1", 201.0), Vanished("c1"), state=state)
    assert commands == [] and not state.known and not state.ends


def test_harmless_signals() -> None:
    """A reload is no reason to drain, unless the container calls that signal its stop signal."""
    web = container(stop_signal=WINCH)
    assert play(Signalled("c1", HUP, 200.0), state=serving(web))[1] == []
    assert play(Signalled("c1", WINCH, 200.0), state=serving(web))[1] == [Deregister("web-1")]
    assert play(Signalled("c1", QUIT, 200.0), state=serving(web))[1] == [Deregister("web-1")]


def test_ignored_signal() -> None:
    """A container that still runs long after its signal is asked again and comes back."""
    web = container()
    state, _ = play(Signalled("c1", TERM, 200.0), state=serving(web))
    late = 200.0 + web.stop_timeout + STOP_MARGIN
    state, commands = play(Observed(web, late), Observed(web, late + 0.1), Answered(ask(web)), state=state)
    assert commands == [Probe(ask(web)), Register(registration(web))]


def test_crash() -> None:
    """A container that dies is out at once, though the engine still calls it running when it is asked."""
    web = container()
    state, commands = play(Died("c1", 200.0), Observed(web, 300.0), state=serving(web))
    assert commands == [Deregister("web-1")]
    again = replace(web, started=201.0, networks={"net": "10.0.0.9"})
    state, commands = play(Observed(again, 301.0), Answered(ask(again)), state=state)
    assert commands == [Probe(ask(again)), Register(registration(again))]


def test_signs_out_of_order() -> None:
    """A signal that is told after the death does not revive the container in time."""
    web = container()
    state, _ = play(Died("c1", 200.0), Signalled("c1", KILL, 199.9), Observed(web, 900.0), state=serving(web))
    assert state.registered == 0


def test_not_serving() -> None:
    """Paused, unhealthy, off the network or gone: out at once, and asked again before it is back."""
    web = container()
    paused, unhealthy, elsewhere = (
        container(state="paused"),
        container(health="unhealthy"),
        container(networks={}),
    )
    for wrong in (paused, unhealthy, elsewhere):
        state, commands = play(Observed(wrong, 200.0), state=serving(web))
        assert commands == [Deregister("web-1")]
        state, commands = play(Observed(web, 201.0), Answered(ask(web)), state=state)
        assert commands == [Probe(ask(web)), Register(registration(web))]
    assert play(Vanished("c1"), state=serving(web))[1] == [Deregister("web-1")]


def test_health_check_and_own_question() -> None:
    """A container with a health check is asked as soon as that is healthy, and must still answer."""
    web = container(health="starting")
    _, commands = play(Held(()), Listed(), Observed(web, 101), Observed(replace(web, health="healthy"), 102))
    assert commands == [Probe(ask(web))]


def test_nobody_is_asked_for_nothing() -> None:
    """The question to a container that goes away is dropped."""
    web = container()
    _, commands = play(Held(()), Listed(), Observed(web, 101), Died("c1", 102))
    assert commands == [Probe(ask(web)), Abandon(ask(web))]


def test_answer_of_an_earlier_run() -> None:
    """The answer of the run before a restart registers nobody."""
    old, new = container(started=100.0), container(started=200.0)
    state, commands = play(Held(()), Listed(), Observed(old, 101), Observed(new, 201), Answered(ask(old)))
    assert state.registered == 0 and Probe(ask(new)) in commands


def test_rename() -> None:
    """A renamed container is registered under its new name before the old one goes; it is not asked again."""
    web = container()
    renamed = replace(web, name="api-1")
    _, commands = play(Observed(renamed, 200.0), state=serving(web))
    assert commands == [Register(registration(renamed)), Deregister("web-1")]


def test_restarted_agent_keeps_what_runs() -> None:
    """An agent that starts adopts what runs, and removes ghosts once it has seen everyone."""
    web, ghost = container(1), container(2)
    state, commands = play(Held((registration(web), registration(ghost))))
    assert commands == []
    state, commands = play(Observed(web, 101.0), state=state)
    assert commands == []
    assert play(Listed(), state=state)[1] == [Deregister("web-2")]


def test_ghost_with_an_old_address() -> None:
    """What is registered with an address that its container has lost is removed before anybody is asked."""
    web, before = container(1), container(1, networks={"net": "10.0.0.77"})
    _, commands = play(Held((registration(before),)), Observed(web, 101.0), Listed())
    assert commands == [Probe(ask(web)), Deregister("web-1")]


def test_foreign_registrations() -> None:
    """What others own is left alone, also where it has our id: then ours is set aside."""
    web, other = container(1), container(2)
    mine, theirs = registration(web), registration(other, owner="")
    state, commands = play(Held((registration(web, "other/host"), theirs)), Observed(web, 1), Listed())
    state, commands = play(Answered(ask(web)), Died("c1", 200.0), state=state)
    assert not {type(command) for command in commands} & {Register, Deregister}
    state, _ = play(Held((registration(web, "other/host"),)), Observed(web, 101), Listed(), Answered(ask(web)))
    assert "somebody else" in problems(state)["web-1"]
    state, commands = play(Held(()), Answered(ask(web)), state=state)
    assert commands == [Probe(ask(web)), Register(mine)] and not problems(state)


def test_one_id_twice() -> None:
    """Of two containers with one SERVICE_ID the older is registered and the other set aside."""
    older, newer = (container(number, env={"SERVICE_ID": "x"}) for number in (1, 2))
    state, commands = play(Held(()), Listed(), Observed(newer, 1), Observed(older, 2), Answered(ask(older)))
    assert [c.registration.instance for c in commands if isinstance(c, Register)] == ["web-1"]
    assert "older" in problems(state)["web-2"]


def test_set_aside_with_a_reason() -> None:
    """A container that asks in unsafe words is named with the reason."""
    state, commands = play(Held(()), Listed(), Observed(container(env={"SERVICE_NAME": "a;b"}), 1))
    assert commands == [] and "DNS label" in problems(state)["web-1"]


def test_registry_lost_and_found() -> None:
    """While the registry is away nothing is written; when it is back without its data, everything is."""
    web, gone = container(1), container(2)
    state, commands = play(RegistryLost(), Died("c2", 200.0), state=serving(web, gone))
    assert commands == []
    _, commands = play(Held((registration(web), registration(gone))), state=state)
    assert commands == [Deregister("web-2")]
    _, commands = play(Held(()), Answered(ask(web)), state=state)
    assert commands == [Probe(ask(web)), Register(registration(web))]


def test_repairs_what_others_change() -> None:
    """A registration that is not as it should be is written again."""
    web = container()
    changed = replace(registration(web), tags=("stray",))
    assert play(Held((changed,)), state=serving(web))[1] == [Register(registration(web))]


def test_read_while_written() -> None:
    """What was read says nothing about an id that was written meanwhile."""
    web = container()
    assert play(Held((), frozenset({"web-1"})), state=serving(web))[1] == []
    state, _ = play(Died("c1", 200.0), state=serving(web))
    state, commands = play(Held((registration(web),), frozenset({"web-1"})), state=state)
    assert commands == [] and state.registered == 0


def test_who_is_merely_warned_is_released() -> None:
    """Where the engine sends a signal that ends nothing, the instance is marked first, goes from every balancer, is
    told then, and is registered no longer."""
    labels = {**container().labels, "stackctl.stop": "image"}
    warned = container(labels=labels, stop_signal=URG)
    state, commands = play(Signalled(warned.id, URG, 102.0), state=serving(warned))
    assert commands == [Mark("web-1"), Look(109.5)]
    assert play(Signalled(warned.id, URG, 102.1), Held((registration(warned),)), state=state)[1] == []
    state, commands = play(Looked((BalancerSeen("lb"),), 102.9, 103.0), state=state)
    assert commands == [Look(109.5)], "the registry may not have the mark yet"
    state, _ = play(Marked("web-1", 103.0), state=state)
    has_it = BalancerSeen("lb", backends={"web": (Backend("web-1", Endpoint("10.0.0.1", 80)),)})
    state, commands = play(Looked((has_it,), 104.1, 104.2), state=state)
    assert commands == [Look(109.5)]
    _, commands = play(Looked((BalancerSeen("lb"),), 104.2, 104.3), state=state)
    assert commands == [Release(warned), Deregister("web-1")]
    _, commands = play(Signalled(warned.id, KILL, 102.0), state=serving(warned))
    assert commands == [Deregister("web-1")], "this one ends it"


def test_a_mark_that_was_lost_is_made_again() -> None:
    """A registry that was away may not have it; who is not registered there needs none."""
    labels = {**container().labels, "stackctl.stop": "image"}
    warned = container(labels=labels, stop_signal=URG)
    state, _ = play(Signalled(warned.id, URG, 102.0), RegistryLost(), state=serving(warned))
    assert play(Held((registration(warned),)), state=state)[1] == [Mark("web-1")]
    state, commands = play(Held(()), state=state)
    assert commands == []
    assert play(Looked((BalancerSeen("lb"),), 103.0, 103.1), state=state)[1] == [Release(warned)]


def test_what_was_registered_by_a_call_follows_its_container() -> None:
    """Somebody else writes and removes it; where it leads is kept true, because another container may be there now."""
    called = container(labels={**container().labels, "stackctl.register": "api"})
    check = RegistryCheck("http://10.0.0.1:80/up?a=b", "", 1.0, 1.0, 60.0)
    before = Registration("web-1", "shop-web", Endpoint("10.0.0.1", 80), "web-1", "", check=check)
    state, commands = play(Listed(), Observed(called, 101.0), Held(()), Held((before,)))
    assert commands == [] and problems(state) == {}
    again = replace(called, networks={"net": "10.0.0.9"}, started=200.0)
    state, commands = play(Died("c1", 150.0), Observed(again, 201.0), Observed(again, 202.0), state=state)
    moved = replace(before, endpoint=Endpoint("10.0.0.9", 80), check=replace(check, http="http://10.0.0.9:80/up?a=b"))
    assert commands == [Register(moved)]
    assert play(Died("c1", 210.0), Held((replace(before, owner="other/host"),)), state=state)[1] == []
    assert play(Vanished("c1"), Held((before,)), state=state)[1] == []


def test_who_was_not_warned_is_left_alone() -> None:
    """A container that ends by its own stop signal gets no other."""
    plain = container(stop_signal=QUIT)
    _, commands = play(Signalled(plain.id, QUIT, 102.0), state=serving(plain))
    assert commands == [Deregister("web-1")]
