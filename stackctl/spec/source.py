"""Reads a text file that a person wrote, with an error that says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from stackctl.errors import Problem, SpecError

# A spec is a page or two; more is a mistake, and YAML takes long to say so.
LARGEST = 256 * 1024


def read_text(path: Path) -> str:
    """The file's text without a byte order mark; SpecError where there is none to be had."""
    try:
        if path.is_dir():
            raise _absent(path, "a folder, not a file")
        if not path.exists():
            raise _absent(path, "there is no such file")
        if not path.is_file():
            raise _absent(path, "not a regular file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _absent(path, f"it can't be read: {reason.lower()}") from error
    if len(data) > LARGEST:
        raise SpecError(
            (
                Problem(
                    f"{path}:1:1", "", f"the file is larger than {LARGEST // 1024} KiB", "name the right one with -f"
                ),
            )
        )
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix("\ufeff")
        where = f"{path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        bad = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise SpecError((Problem(where, "", bad, "save the file as UTF-8"),)) from error


def _absent(path: Path, message: str) -> SpecError:
    return SpecError(
        (Problem(str(path), "", message),),
        id="spec-not-found",
        message=message,
        hint="name a bundled stack (`stackctl list` shows them) or a file with -f",
    )
