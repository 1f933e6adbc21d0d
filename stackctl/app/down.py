"""`down`: remove a stack's containers and networks and its rendered files; volumes only where asked."""

from __future__ import annotations

from stackctl.app.project import Project


def down(project: Project, *, volumes: bool) -> tuple[str, ...]:
    """Remove the stack; the ids of the instances that were there. A stack that is not up is no error."""
    engine = project.engine
    with project.workspace.lock("down"):
        gone = tuple(instance.id for instance in engine.observe().instances)
        for id in gone:
            project.progress.step(id, "stopping")
        engine.down(volumes=volumes)
        for id in gone:
            project.progress.step(id, "removed")
        project.workspace.remove()
    return gone
