"""The code blocks of README.md and docs/ are tests: each is run by the evaluator of its language."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent

pytest_plugins = ["pytester"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the pages of the documentation; nothing is imported for it when no page is in the run."""
    is_page = file_path == ROOT / "README.md" or (file_path.parent == ROOT / "docs" and file_path.suffix == ".md")
    if not is_page:
        return None
    from tests.docs.blocks import pages

    return pages(ROOT)(file_path, parent)
