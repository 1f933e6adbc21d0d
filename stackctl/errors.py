"""What stackctl tells a person when something is wrong, and how it exits.

    StackctlError            exit 1: a step failed
    ├── UsageError           exit 2: the command line asks for something that does not exist
    ├── SpecError            exit 2: stack.yaml (or what it names) is wrong; carries every problem found
    ├── NotConverged         exit 3: the proof did not hold
    ├── Unreachable          exit 4: the engine or the registry does not answer
    │   └── Leaderless               the managers of a Swarm have no leader
    └── RolledBack           exit 5: a change was undone

Every error has an id to search for, says where and what, and hints at the next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

REGISTRY_FIXED = "registry-fixed"  # the id of what a list that nobody watches refuses


class StackctlError(Exception):
    """A failure that a person can act on; never shown with a traceback unless asked for."""

    exit_code: ClassVar[int] = 1

    def __init__(self, id: str, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.id = id
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"error[{self.id}]: {self.message}"]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  hint:  {self.hint}")
        return "\n".join(lines)


class UsageError(StackctlError):
    """The command line names something that does not exist or cannot be."""

    exit_code = 2


class NotConverged(StackctlError):
    """The stack runs, but its layers do not agree."""

    exit_code = 3


class Unreachable(StackctlError):
    """The engine or the registry does not answer."""

    exit_code = 4


class Leaderless(Unreachable):
    """The managers of a Swarm have no leader: none of them can say or change anything until they have elected one."""


class RolledBack(StackctlError):
    """A change did not converge and was undone."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a spec: `where` is file:line:column, both from 1, `path` the key's (services.web.port)."""

    where: str
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.path + ': ' if self.path else ''}{self.message}"
        return f"{text} ({self.hint})" if self.hint else text


class SpecError(StackctlError):
    """stack.yaml is wrong; all problems are reported at once."""

    exit_code = 2

    def __init__(
        self, problems: tuple[Problem, ...], *, id: str = "spec-invalid", hint: str = "", message: str = ""
    ) -> None:
        """`message` says all that there is to say; without it the problems are listed."""
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        where = problems[0].where if problems else ""
        super().__init__(id, message or f"the spec has {count}", where=where, hint=hint)
        self.problems = problems
        self._listed = not message

    def __str__(self) -> str:
        if not self._listed:
            return super().__str__()
        lines = [f"error[{self.id}]: {self.message}", *(f"  {problem}" for problem in self.problems)]
        if self.hint:
            lines.append(f"  hint:  {self.hint}")
        return "\n".join(lines)
