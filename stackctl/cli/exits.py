"""How every command ends: its exit code, and errors as people and programs can act on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from stackctl.cli.group import stackctl
from stackctl.cli.telling import Answered, Telling
from stackctl.errors import StackctlError, UsageError

INTERRUPTED = 130


def run(arguments: Sequence[str] | None = None) -> None:
    """Run and exit with the command's code, or with the one of the error that ended it."""
    telling = Telling.asked_by(sys.argv[1:] if arguments is None else arguments)
    # Where the shell has closed them, whoever writes to them must not fail.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    try:
        code = stackctl.main(args=arguments, standalone_mode=False, prog_name="stackctl")
    except click.exceptions.Exit as ending:
        code = ending.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        code = error.exit_code
    except click.ClickException as error:
        code = _end(telling, _of_click(error))
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; run the same command again to finish what it began")
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to complain to.
        _close(sys.stdout)
        code = 1
    except Answered as ending:
        code = _end(telling, ending.error, answered=True)
    except StackctlError as error:
        code = _end(telling, error)
    except OSError as error:
        hint = "look at the file's or folder's place and permissions"
        failed = StackctlError("file-failed", error.strerror or str(error), where=str(error.filename or ""), hint=hint)
        code = _end(telling, failed)
    except Exception as error:  # a bug of ours: short, unless details are asked for
        if telling.traceback:
            raise
        hint = "run it again with -v for the traceback, and report it"
        code = _end(telling, StackctlError("internal", f"{type(error).__name__}: {error}", hint=hint))
    sys.exit(code if isinstance(code, int) else 0)


def _end(telling: Telling, error: StackctlError, *, answered: bool = False) -> int:
    """Tell the error in each way that is asked for; its exit code."""
    if telling.traceback:
        import traceback

        _say(traceback.format_exc().rstrip())
    _say(telling.line(error))
    if telling.document and not answered:
        _say(telling.answer(error), sys.stdout)
    return error.exit_code


def _of_click(error: click.ClickException) -> StackctlError:
    """What click found wrong with the command line, in the shape of every other error."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "stackctl"
    word = ""
    if isinstance(error, click.BadParameter):
        word = str(error.param_hint or (error.param.get_error_hint(context) if error.param else ""))
    elif isinstance(error, click.NoSuchOption | click.BadOptionUsage):
        word = error.option_name
    message = " ".join(error.format_message().split()).removesuffix(".")
    where = f"{command}: {word}" if word else command
    return UsageError(
        "usage", message[:1].lower() + message[1:], where=where.replace("'", ""), hint=f"{command} --help"
    )


def _say(text: str, stream: TextIO | None = None) -> None:
    """Write it where it can be written: an error that nobody can be told of keeps its exit code."""
    with suppress(OSError, ValueError):
        try:
            click.echo(text, file=stream, err=stream is None)
        except OSError:
            _close(stream or sys.stderr)


def _close(stream: TextIO) -> None:
    """Whatever is left in it goes nowhere, also when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
