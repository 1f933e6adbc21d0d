"""The command line: one command a file, imported only when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    import gc

    # A command allocates much at its start and throws little of it away: looking for garbage is a tenth of its time.
    gc.set_threshold(100_000)
    from stackctl.cli.exits import run

    run()
