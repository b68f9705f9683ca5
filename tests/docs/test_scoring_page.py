"""The page on scoring names every scorer that needs no model, and every filter."""

from __future__ import annotations

import re

from gemma_eval.scoring.filters import filter_names
from tests.docs.test_pages import page
from tests.scoring.test_options import NAMES


def named(text: str) -> set[str]:
    """Return what stands first in the rows of tables."""
    firsts = re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)
    return {name for cell in firsts for name in re.findall(r"`(\w+)`", cell)}


def test_every_scorer_and_every_filter_has_a_row() -> None:
    """One that is taken out of a table is missed."""
    text = page("scoring")
    assert {*NAMES, *filter_names()} <= named(text)
    assert "chrf" not in named(text.replace("| `chrf` |", "| |"))
