"""The command line: one command a file, imported only when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    from stackctl.cli.exits import run

    run()
