"""Where the stacks, templates and sample images that ship with stackctl are."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from stackctl.errors import StackctlError

# Sample apps that stackctl builds itself; any other `image:` is a reference.
SAMPLE_IMAGES = ("whoami", "live", "backend", "front", "echo", "webapp")

PACKAGE = Path(__file__).resolve().parent.parent


def bundled(room: Literal["stacks", "templates"]) -> Path:
    """The folder of that name: inside the package when installed from a wheel, beside it in a checkout."""
    for folder in (PACKAGE / "_bundled" / room, PACKAGE.parent / room):
        if folder.is_dir():
            return folder
    raise StackctlError(
        "installation-incomplete",
        f"the folder `{room}` that ships with stackctl is missing",
        where=str(PACKAGE),
        hint="install stackctl again",
    )
