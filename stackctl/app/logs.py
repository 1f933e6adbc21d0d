"""`logs`: what the instances print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.app.project import Project
from stackctl.errors import UsageError
from stackctl.spec.find import names_stack
from stackctl.spec.findings import suggestion


def split_words(words: Sequence[str], file: str | None) -> tuple[str | None, tuple[str, ...]]:
    """STACK, where the first word is a bundled stack or clearly a path, and the services after it."""
    if words and file is None and names_stack(words[0]):
        return words[0], tuple(words[1:])
    return None, tuple(words)


def logs(project: Project, services: Sequence[str], *, tail: str, follow: bool) -> Iterator[str]:
    """Lines; raises `UsageError` for a service that has no instance."""
    engine = project.engine
    known = sorted({instance.service for instance in project.look().instances})
    for name in services:
        if name not in known:
            listed = f"services: {', '.join(known)}" if known else f"stackctl up {project.stack.name}"
            hint = suggestion(name, known) or listed
            raise UsageError("no-such-service", f"no instance of {name!r} is there", where=name, hint=hint)
    return engine.logs(services, tail=tail, follow=follow) if known else iter(())
