"""Files that the balancer's agent keeps beside nginx's."""

from __future__ import annotations

from dataclasses import dataclass

FILES = "/run/stackctl/files"  # in the balancer's container; a volume, so that services can mount it too


@dataclass(frozen=True, slots=True)
class FileTemplate:
    """A file beside nginx's that the agent keeps: the template's text, the path in the balancer's container, commands
    for the shell, and the prefixes of the keys that it is given."""

    text: str
    dest: str
    check: str = ""
    reload: str = ""
    keys: tuple[str, ...] = ()
