"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes is the machine's affair: on a busy one a deadline fails tests that hold.
settings.register_profile("stackctl", deadline=None)
settings.load_profile("stackctl")
