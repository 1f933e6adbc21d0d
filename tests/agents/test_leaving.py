"""Who is told to end when: whatever balancers answer or do not, in any order of warnings, looks and deaths."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stackctl.agents.leaving import LINGER, LONGEST, Leavers, Look, Looked, Release, looked, marked, warned, without
from stackctl.domain.balancer import Backend
from stackctl.domain.catalog import Registration
from stackctl.domain.container import Container
from stackctl.domain.instance import Endpoint
from stackctl.domain.observation import BalancerSeen

SERVES = BalancerSeen("lb-1", backends={"web": (Backend("web-1", Endpoint("10.0.0.1", 80)),)})
FREE = BalancerSeen("lb-2")
SILENT = BalancerSeen("lb-3", unreachable="it is gone")


def container(number: int = 1, grace: float = 10.0) -> Container:
    """An instance that was warned."""
    return Container(f"c{number}", f"web-{number}", "web", "running", stop_timeout=grace)


def registration(of: Container) -> Registration:
    """As which it was registered."""
    return Registration(of.name, "web", Endpoint(f"10.0.0.{of.name[4:]}", 80), of.name, "shop/host")


def leaving(*containers: Container, at: float = 100.0) -> Leavers:
    """All of them warned and marked at one time, with a look under way."""
    leavers = Leavers()
    for each in containers:
        leavers, _ = warned(leavers, each, [registration(each)], at)
    return marked(leavers, {each.id: at for each in containers})


def seen(*balancers: BalancerSeen, at: float) -> Looked:
    """Asked and answered at once."""
    return Looked(balancers, at, at)


def test_out_of_every_balancer() -> None:
    """It is told with the first look that finds it in none; whoever has it still is asked again."""
    web = container()
    leavers, commands = warned(Leavers(), web, [registration(web)], 100.0)
    assert commands == (Look(107.5),)
    leavers, commands = looked(marked(leavers, {web.id: 100.0}), seen(SERVES, FREE, at=101.1))
    assert commands == (Look(107.5),)
    leavers, commands = looked(leavers, seen(FREE, replace(FREE, id="lb-1"), at=101.2))
    assert commands == (Release(web),)
    assert warned(leavers, web, [registration(web)], 101.3)[1] == (), "a warning that is heard twice tells it once"


def test_what_was_seen_before_the_mark_says_nothing() -> None:
    """A look counts that began when the registry had the mark for a while; the first mark counts."""
    web = container()
    leavers, _ = warned(Leavers(), web, [registration(web)], 100.0)
    assert looked(leavers, seen(FREE, at=103.0))[1] == (Look(107.5),)
    leavers = marked(marked(leavers, {web.id: 103.0}), {web.id: 105.0})
    assert looked(leavers, Looked((FREE,), 103.0 + LINGER / 2, 105.0))[1] == (Look(107.5),)
    assert looked(leavers, seen(FREE, at=103.0 + LINGER))[1] == (Release(web),)
    _, (release,) = looked(warned(Leavers(), web, [registration(web)], 100.0)[0], seen(FREE, at=107.5))
    assert isinstance(release, Release) and "was not told" in release.unproven


def test_what_it_works_on_is_done_first() -> None:
    """A connection from a balancer, or an old worker that could still open one, is waited for."""
    web = container()
    for busy in (replace(FREE, connections={"10.0.0.1:80": 1}), replace(FREE, shutting_down=1)):
        assert looked(leaving(web), seen(busy, at=102.0))[1] == (Look(107.5),)
    assert looked(leaving(web), seen(replace(FREE, connections={"10.0.0.2:80": 1}), at=102.0))[1] == (Release(web),)


def test_never_confirmed() -> None:
    """A balancer that does not answer, and one that nobody finds, hold it for three quarters of its grace at most."""
    for grace, patience in ((8.0, 6.0), (600.0, LONGEST)):
        web = container(grace=grace)
        for found, why in (((FREE, SILENT), "lb-3 can't be asked: it is gone"), ((), "no balancer was found")):
            leavers, commands = looked(leaving(web), seen(*found, at=100.0 + patience - 0.1))
            assert commands == (Look(100.0 + patience),)
            _, (release,) = looked(leavers, seen(*found, at=100.0 + patience))
            assert isinstance(release, Release) and release.container == web and why in release.unproven


def test_a_balancer_that_vanishes() -> None:
    """Once nobody finds a silent balancer any more, those that are left are enough."""
    web = container()
    leavers, _ = looked(leaving(web), seen(FREE, SILENT, at=102.0))
    assert looked(leavers, seen(FREE, at=102.1))[1] == (Release(web),)


def test_gone_meanwhile() -> None:
    """Who has ended by itself is told nothing, and a look that was under way is the last one."""
    web = container()
    leavers = without(leaving(web), web.id)
    assert looked(leavers, seen(FREE, at=102.0)) == (Leavers(), ())


class Story(RuleBasedStateMachine):
    """Instances are warned and die, balancers come, go, fall silent and learn; looks take their time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.leavers = Leavers()
        self.looks = 0  # that are under way
        self.warned: dict[str, float] = {}
        self.marked: dict[str, float] = {}
        self.told: set[str] = set()
        self.serving: dict[str, set[int]] = {"lb-1": set(range(5)), "lb-2": set(range(5))}
        self.silent: set[str] = set()

    def do(self, commands: tuple[Look | Release, ...], seen: tuple[BalancerSeen, ...] = (), began: float = 0.0) -> None:
        """What was decided, held against what was seen."""
        for command in commands:
            if isinstance(command, Look):
                self.looks += 1
                continue
            id = command.container.id
            assert id in self.warned and id not in self.told
            self.told.add(id)
            had = any(b.id == command.container.name for s in seen for bs in s.backends.values() for b in bs)
            known = began >= self.marked.get(id, 1e9) + LINGER
            proven = known and bool(seen) and not had and not any(s.unreachable for s in seen)
            assert proven == (not command.unproven)
            assert proven or self.now >= self.warned[id] + 6.0

    @rule(number=st.integers(0, 4), again=st.booleans())
    def warn(self, number: int, again: bool) -> None:
        """A container gets the signal that no process minds, perhaps told twice."""
        one = container(number, grace=8.0)
        self.warned.setdefault(one.id, self.now)
        for _ in range(1 + again):
            self.leavers, commands = warned(self.leavers, one, [registration(one)], self.now)
            self.do(commands)

    @precondition(lambda self: self.warned)
    @rule(number=st.integers(0, 4))
    def mark(self, number: int) -> None:
        """The registry sends nobody there any more."""
        if (id := f"c{number}") in self.warned:
            self.marked.setdefault(id, self.now)
            self.leavers = marked(self.leavers, {id: self.now})

    @rule(number=st.integers(0, 4))
    def die(self, number: int) -> None:
        """It ends, told or not, and another one takes its name later."""
        self.leavers = without(self.leavers, f"c{number}")
        self.warned.pop(f"c{number}", None)
        self.marked.pop(f"c{number}", None)
        self.told.discard(f"c{number}")

    @rule(name=st.sampled_from(["lb-1", "lb-2", "lb-3"]), speaks=st.booleans(), there=st.booleans())
    def change(self, name: str, speaks: bool, there: bool) -> None:
        """A balancer is there or not, and answers or not."""
        if there:
            self.serving.setdefault(name, set())
        else:
            self.serving.pop(name, None)
        (self.silent.discard if speaks else self.silent.add)(name)

    @rule(name=st.sampled_from(["lb-1", "lb-2", "lb-3"]), number=st.integers(0, 4))
    def learn(self, name: str, number: int) -> None:
        """A balancer leaves an instance out."""
        self.serving.get(name, set()).discard(number)

    @precondition(lambda self: self.looks)
    @rule(seconds=st.floats(0.1, 4.0))
    def look(self, seconds: float) -> None:
        """The balancers were asked; it took a while."""
        began = self.now
        self.now += seconds
        self.looks -= 1
        found = tuple(
            BalancerSeen(name, unreachable="silent")
            if name in self.silent
            else BalancerSeen(
                name, backends={"web": tuple(Backend(f"web-{n}", Endpoint(f"10.0.0.{n}", 80)) for n in numbers)}
            )
            for name, numbers in self.serving.items()
        )
        self.leavers, commands = looked(self.leavers, Looked(found, began, self.now))
        self.do(commands, found, began)

    @invariant()
    def one_look_for_whoever_waits(self) -> None:
        """Whoever waits is looked for, by one look at a time."""
        assert self.looks in (0, 1) and (self.looks or self.warned.keys() <= self.told)

    def teardown(self) -> None:
        """Whatever the balancers do: when the time is over, everybody who was warned is told."""
        for _ in range(2):
            if self.looks:
                self.look(LONGEST)
        assert self.warned.keys() == self.told and not self.looks


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
