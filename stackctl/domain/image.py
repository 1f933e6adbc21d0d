"""An image as a value: its tag and the ways to make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# auto: what is there, else what a registry has, else Debian's packages; the other two leave the rest out.
ImagePolicy = Literal["auto", "registry", "debian"]

# What every image of ours starts from, and what stackctl can make itself where no registry answers.
BASE = "debian:trixie-slim"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to make an image: the reference it starts from, and the files to build it with."""

    base: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """An image of ours. `tag` names the digest of all its recipes, so it is known before anything is built;
    of the recipes the first is taken whose base can be had."""

    component: str
    tag: str
    recipes: tuple[Recipe, ...]

    @property
    def digest(self) -> str:
        """The digest of everything that goes into the image."""
        return self.tag.rpartition(":")[2]

    def allowed(self, policy: ImagePolicy) -> tuple[Recipe, ...]:
        """The recipes that a policy leaves. It says where an image may come from, not what it is: the tag stays."""
        official = tuple(recipe for recipe in self.recipes if recipe.base != BASE)
        if policy == "auto" or not official:
            return self.recipes
        return official if policy == "registry" else tuple(r for r in self.recipes if r.base == BASE)

    @property
    def files(self) -> Mapping[str, str]:
        """The build context of the recipe that needs least: a folder for `docker build` without stackctl."""
        return self.recipes[-1].files
