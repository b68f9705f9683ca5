"""What all tests share: Hypothesis without a deadline (a machine may be busy), the same everywhere.

A run of a suite loads this file as well, and whoever only measures has installed no Hypothesis.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("hypothesis") is not None:
    from hypothesis import settings

    settings.register_profile("project", deadline=None, derandomize=True)
    settings.load_profile("project")
