"""What all tests share: Hypothesis without a deadline (a machine may be busy), the same everywhere."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")
