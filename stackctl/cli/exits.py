"""How every command ends: its exit code, and errors as people can act on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from stackctl.cli.group import stackctl
from stackctl.errors import StackctlError

INTERRUPTED = 130


def run(arguments: Sequence[str] | None = None) -> None:
    """Run and exit with the command's code, or with the one of the error that ended it."""
    try:
        code = stackctl.main(args=arguments, standalone_mode=False, prog_name="stackctl")
    except click.exceptions.Exit as ending:
        code = ending.exit_code
    except click.UsageError as error:
        error.show()
        code = 2
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; run the same command again to finish what it began", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to complain to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except StackctlError as error:
        _show(error)
        code = error.exit_code
    except OSError as error:
        hint = "look at the file's or folder's place and permissions"
        _show(StackctlError("file-failed", error.strerror or str(error), where=str(error.filename or ""), hint=hint))
        code = 1
    except Exception as error:  # a bug of ours: short, unless details are asked for
        if _verbose():
            raise
        hint = "run it again with -v for the traceback, and report it"
        _show(StackctlError("internal", f"{type(error).__name__}: {error}", hint=hint))
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _show(error: StackctlError) -> None:
    if _verbose():
        import traceback

        traceback.print_exc()
    click.echo(str(error), err=True)


def _verbose() -> bool:
    return any(argument in ("-v", "--verbose") for argument in sys.argv[1:])
