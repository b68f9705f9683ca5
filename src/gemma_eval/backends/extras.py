"""Whether the packages of an extra are installed, without importing them."""

from __future__ import annotations

from importlib.util import find_spec


def lacking(*packages: str, extra: str) -> str | None:
    """Say how to install the packages that a backend needs; `None` when they are there."""
    missing = [package for package in packages if find_spec(package) is None]
    if not missing:
        return None
    return f'needs {" and ".join(missing)}: pip install "gemma_eval[{extra}]"'
