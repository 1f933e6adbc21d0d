"""nginx's workers are known by what the kernel says, and old ones count only while they may take a request."""

from __future__ import annotations

from stackctl.agents.workers import Worker, finishing, worker_of

MASTER, TICKS = 7, 100
# The name that a process gives itself may hold anything; parent and start are the 4th and the 22nd field.
STAT = "21 (nginx) (x) S 7 7 7 0 -1 4194624 311 0 0 0 1 0 0 0 20 0 1 0 {ticks} 9306112 1024 18446744073709551615"
NEW = "nginx: worker process\0"
OLD = "nginx: worker process is shutting down\0"


def read(title: str, *, master: int = MASTER) -> Worker | None:
    """The process 21, started 41.5 s after boot."""
    return worker_of(21, STAT.format(ticks=4150), title, master=master, ticks=TICKS)


def test_workers_are_read_of_the_kernel() -> None:
    """A worker of this master is found with its start; the master's other children and others' workers are not."""
    assert read(NEW) == Worker(21, shutting_down=False, started=41.5)
    assert read(OLD) == Worker(21, shutting_down=True, started=41.5)
    assert read("nginx: cache manager process\0") is None
    assert read(NEW, master=8) is None


def test_an_old_worker_counts_for_six_seconds() -> None:
    """From the start of its successors on, so long as a client that it holds may ask once more, and no longer."""
    workers = (Worker(21, shutting_down=True, started=10.0), Worker(22, shutting_down=False, started=100.0))
    assert finishing(workers, now=105.9) == 1
    assert finishing(workers, now=106.0) == 0


def test_each_generation_has_its_own_successors() -> None:
    """What counts is when the next generation began, not the newest."""
    generations = (
        Worker(21, shutting_down=True, started=10.0),
        Worker(22, shutting_down=True, started=100.0),
        Worker(23, shutting_down=False, started=104.0),
    )
    assert finishing(generations, now=105.0) == 2
    assert finishing(generations, now=107.0) == 1
    assert finishing(generations, now=110.0) == 0


def test_without_a_successor_it_counts() -> None:
    """A worker that was told to end a moment ago may hold a client, though nobody followed it yet."""
    assert finishing((Worker(21, shutting_down=True, started=10.0),), now=500.0) == 1
    assert finishing((Worker(21, shutting_down=False, started=10.0),), now=500.0) == 0
