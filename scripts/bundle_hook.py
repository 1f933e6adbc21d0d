"""Puts the top-level `templates/` and `stacks/` into a wheel as `stackctl/_bundled/` (pyproject.toml names it)."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLED = ("templates", "stacks")


class BundleHook(BuildHookInterface):
    """Only for wheels that are shipped: an editable install reads the repository's own folders."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        for folder in BUNDLED:
            if (Path(self.root) / folder).is_dir():
                build_data["force_include"][folder] = f"stackctl/_bundled/{folder}"
