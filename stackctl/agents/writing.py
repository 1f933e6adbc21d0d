"""What is written to the registry: one wish at a time for each id, the latest last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from stackctl.agents.loop import Log
from stackctl.agents.registration_events import Deregister, Mark, Marked, Register
from stackctl.errors import StackctlError, Unreachable
from stackctl.ports import Registry

ENDING = "it is about to end"

Wish = Register | Deregister | Mark


class Writing:
    """Carries out wishes about registrations, each in a task of its own; what becomes of them is told to
    `on_marked`, `on_lost` (the registry does not answer) and `on_refused`."""

    def __init__(
        self,
        registry: Registry,
        tasks: asyncio.TaskGroup,
        log: Log,
        *,
        on_marked: Callable[[Marked], None],
        on_lost: Callable[[Unreachable], None],
        on_refused: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._tasks = tasks
        self._log = log
        self._on_marked = on_marked
        self._on_lost = on_lost
        self._on_refused = on_refused
        self._wishes: dict[str, Wish] = {}
        self._disturbed: set[str] = set()

    @property
    def disturbed(self) -> frozenset[str]:
        """The ids that were written since `reading`, or were being written then: what was read says nothing of them."""
        return frozenset(self._disturbed)

    def reading(self) -> None:
        """The registry's agent is asked now what it holds."""
        self._disturbed = set(self._wishes)

    def write(self, id: str, wish: Wish) -> None:
        """Soon, in the place of an older wish about the same id that has not begun."""
        self._disturbed.add(id)
        busy = id in self._wishes
        self._wishes[id] = wish
        if not busy:
            self._tasks.create_task(self._carry_out(id))

    async def _carry_out(self, id: str) -> None:
        try:
            while True:
                wish = self._wishes[id]
                await self._tell(id, wish)
                if self._wishes[id] is wish:
                    return
        except Unreachable as error:
            self._on_lost(error)
        except StackctlError as error:
            self._on_refused()
            self._log("refused", level="error", id=id, error=error.message)
        finally:
            del self._wishes[id]

    async def _tell(self, id: str, wish: Wish) -> None:
        match wish:
            case Register(wanted):
                await self._registry.register(wanted)
                self._log("registered", id=id, service=wanted.service, endpoint=str(wanted.endpoint))
            case Deregister():
                await self._registry.deregister(id)
                self._log("deregistered", id=id)
            case Mark():
                await self._registry.maintain(id, ENDING)
                self._log("marked", id=id)
                self._on_marked(Marked(id, time.time()))
