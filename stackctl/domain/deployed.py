"""What `deploy` left that the spec does not say, by service: it holds until the next `up`."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.domain.stack import ImageSource


@dataclass(frozen=True, slots=True)
class Canary:
    """One instance of another definition that gets a percent of the requests.

    `image` is None where it is the spec's.
    """

    percent: int
    image: ImageSource | None = None


@dataclass(frozen=True, slots=True)
class Deployed:
    """The image in the place of the spec's, and the canary, where there is one."""

    image: ImageSource | None = None
    canary: Canary | None = None
