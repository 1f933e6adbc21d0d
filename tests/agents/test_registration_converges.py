"""Events lost, doubled and out of order, then one resync: the catalog is always the same."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stackctl.agents.registration import State, reduce
from stackctl.agents.registration_events import (
    Abandon,
    Answered,
    Ask,
    Deregister,
    Died,
    Event,
    Held,
    Listed,
    Observed,
    Probe,
    Register,
    RegistryLost,
    Signalled,
    Vanished,
)
from stackctl.domain.catalog import Registration
from stackctl.domain.container import Container
from stackctl.domain.conventions import Scope, claims
from stackctl.domain.instance import Endpoint

SCOPE = Scope("shop", "net", "shop/host-1")
LABELS = {"stackctl.stack": "shop", "stackctl.register": "registrator", "stackctl.port": "80"}
FOREIGN = tuple(
    Registration(id, "web", Endpoint("192.0.2.1", 80), id, owner)
    for id, owner in (("web-0", "other/host"), ("legacy", ""))
)
NAMES = st.sampled_from(["web-0", "web-1", "web-2", "api-1"])
PICK = st.integers(0, 10**6)


class World(RuleBasedStateMachine):
    """Containers, a registry, and an agent that hears of them what hypothesis lets it hear."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.made = 0
        self.containers: dict[str, Container] = {}
        self.registry = {registration.id: registration for registration in FOREIGN}
        self.reachable = True
        self.asked: set[Ask] = set()
        self.state = State(SCOPE)
        self.told: list[Event] = []

    def tell(self, *events: Event) -> None:
        """What the engine says, to be delivered sometime, or twice, or never."""
        self.told += events

    def change(self, container: Container) -> None:
        """A fact changes, and the engine says so."""
        self.containers[container.id] = container
        self.tell(Observed(container, self.now))

    def hear(self, event: Event) -> None:
        """The agent hears of something and does what it decides to."""
        self.state, commands = reduce(self.state, event)
        for command in commands:
            match command:
                case Probe(ask):
                    self.asked.add(ask)
                case Abandon(ask):
                    self.asked.discard(ask)
                case Register() | Deregister() if not self.reachable:
                    self.told.append(RegistryLost())
                case Register(registration):
                    self.registry[registration.id] = registration
                case Deregister(id):
                    self.registry.pop(id, None)

    def pick(self, number: int) -> Container:
        """One of the containers."""
        return list(self.containers.values())[number % len(self.containers)]

    @rule(name=NAMES)
    def create(self, name: str) -> None:
        """A container is made and started, if the name is free."""
        if name not in {container.name for container in self.containers.values()}:
            self.made += 1
            new = Container(f"c{self.made}", name, "web", "created", created=self.now, labels=LABELS)
            self.change(new)
            self.start(new)

    def start(self, container: Container) -> None:
        """It runs, with an address that it never had before."""
        self.now += 1
        address = f"10.0.{int(self.now) // 250 % 250}.{int(self.now) % 250 + 1}"
        self.change(replace(container, state="running", started=self.now, networks={"net": address}))

    @precondition(lambda self: self.containers)
    @rule(number=PICK, signal=st.sampled_from([1, 9, 15]), dies=st.booleans(), restarts=st.booleans())
    def kill(self, number: int, signal: int, dies: bool, restarts: bool) -> None:
        """A signal, which may be ignored, end the run, or be followed by a new one with another address."""
        container = self.pick(number)
        if container.state == "running":
            self.now += 1
            self.tell(Signalled(container.id, signal, self.now), Observed(container, self.now))
            if dies:
                self.now += 1
                self.tell(Died(container.id, self.now))
                self.change(replace(container, state="exited", networks={"net": ""}))
                if restarts:
                    self.start(self.containers[container.id])

    @precondition(lambda self: self.containers)
    @rule(number=PICK)
    def remove(self, number: int) -> None:
        """A container dies and is no more."""
        container = self.pick(number)
        self.now += 1
        del self.containers[container.id]
        self.tell(Died(container.id, self.now), Vanished(container.id))

    @precondition(lambda self: self.containers)
    @rule(
        number=PICK,
        state=st.sampled_from(["running", "paused"]),
        health=st.sampled_from(["healthy", "unhealthy"]),
    )
    def pause_or_sicken(self, number: int, state: str, health: str) -> None:
        """A running container is paused, unpaused, or changes its health."""
        container = self.pick(number)
        if container.state in ("running", "paused"):
            self.now += 1
            self.change(replace(container, state=state, health=health))  # type: ignore[arg-type]

    @precondition(lambda self: self.containers)
    @rule(number=PICK, name=NAMES)
    def rename(self, number: int, name: str) -> None:
        """A container gets another name, if it is free."""
        if name not in {container.name for container in self.containers.values()}:
            self.now += 1
            self.change(replace(self.pick(number), name=name))

    @precondition(lambda self: self.told)
    @rule(number=PICK, once=st.booleans())
    def deliver(self, number: int, once: bool) -> None:
        """Any of the events arrives, in any order, perhaps not for the last time."""
        index = number % len(self.told)
        self.hear(self.told.pop(index) if once else self.told[index])

    @rule()
    def deliver_all(self) -> None:
        """Everything arrives once and in order, as it mostly does."""
        told, self.told = self.told, []
        for event in told:
            self.hear(event)

    @rule()
    def lose(self) -> None:
        """Everything that was not delivered yet is lost."""
        self.told.clear()

    @rule(number=PICK)
    def answer(self, number: int) -> None:
        """An instance answers, even one that is long gone."""
        if self.asked:
            ask = sorted(self.asked, key=lambda ask: ask.container)[number % len(self.asked)]
            self.tell(Answered(ask))

    @rule(reachable=st.booleans(), wiped=st.booleans())
    def registry_fails(self, reachable: bool, wiped: bool) -> None:
        """The registry goes away or comes back, perhaps without what was ours."""
        self.reachable = reachable
        if wiped:
            self.registry = {registration.id: registration for registration in FOREIGN}

    @rule(id=st.sampled_from(["web-1", "web-9"]))
    def ghost(self, id: str) -> None:
        """A registration that a dead registrator of the same owner left behind."""
        self.registry[id] = Registration(id, "web", Endpoint("10.9.9.9", 80), id, SCOPE.owner)

    @rule()
    def restart_agent(self) -> None:
        """The agent starts anew and knows nothing; nobody asks its questions any more."""
        self.state, self.asked = State(SCOPE), set()

    @rule()
    def resync(self) -> None:
        """All is observed once more, the registry is read, who runs answers: the catalog is right."""
        self.told.clear()
        self.reachable = True
        self.now += 1000  # longer than any signal is believed
        for id in sorted(self.state.known.keys() | self.containers.keys()):
            known = self.containers.get(id)
            self.hear(Observed(known, self.now) if known else Vanished(id))
        self.hear(Listed())
        self.hear(Held(tuple(self.registry.values())))
        while self.asked:
            self.hear(Answered(self.asked.pop()))
        assert self.registry == self.expected()
        before = self.state
        self.hear(Held(tuple(self.registry.values())))
        assert self.state == before and not self.asked

    def expected(self) -> dict[str, Registration]:
        """What the containers alone say the catalog is."""
        found = {registration.id: registration for registration in FOREIGN}
        for container in self.containers.values():
            if container.serving:
                (claim,) = claims(container, SCOPE).wanted
                found.setdefault(claim.registration.id, claim.registration)
        return found

    @invariant()
    def foreign_registrations_stay(self) -> None:
        """Nothing that others own is ever touched."""
        assert all(self.registry[registration.id] == registration for registration in FOREIGN)

    def teardown(self) -> None:
        """Every story ends with a resync."""
        self.resync()


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
