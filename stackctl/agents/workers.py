"""nginx's worker processes as the kernel tells of them, and which of them may still take a request. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WORKER = "worker process"
SHUTTING_DOWN = "worker process is shutting down"
# A worker of an older revision takes no new connection, and closes those that idle after nginx's keepalive_min_timeout
# of 5 s at the latest: what it holds longer is under way already and reaches no further instance.
LAST_REQUEST = 6.0  # seconds


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process of the running nginx."""

    pid: int
    shutting_down: bool
    started: float  # seconds since boot, as the kernel counts


def worker_of(pid: int, stat: str, title: str, *, master: int, ticks: int) -> Worker | None:
    """The worker that a process is, by the texts of /proc/PID/stat and cmdline; None for one that is no worker of this
    master. `ticks` are those of the kernel's clock in a second."""
    fields = stat.rpartition(")")[2].split()  # a command's own parentheses come before the last one
    if int(fields[1]) != master or WORKER not in title:
        return None
    return Worker(pid, SHUTTING_DOWN in title, int(fields[19]) / ticks)


def finishing(workers: Iterable[Worker], now: float) -> int:
    """How many workers of older revisions may still take a request of a client that they hold.

    When a worker was told to shut down nobody says; its successors started then.
    """
    workers = tuple(workers)
    successors = {old: min((w.started for w in workers if w.started > old.started), default=now) for old in workers}
    return sum(old.shutting_down and now - since < LAST_REQUEST for old, since in successors.items())
