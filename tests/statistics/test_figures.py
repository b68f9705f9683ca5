"""The figures of docs/gate.md are those that the simulations give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.statistics.figures import TABLES, share, table

PAGE = Path(__file__).parents[2] / "docs" / "gate.md"


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (0.0, "0 %"),
        (0.0001, "< 0.1 %"),
        (0.0005, "0.1 %"),
        (0.0344, "3.4 %"),
        (0.344, "34 %"),
        (0.9965, "99.7 %"),
        (0.9996, "> 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(of: float, expected: str) -> None:
    """Near them it has a tenth."""
    assert share(of) == expected


def test_a_table_is_one_of_markdown() -> None:
    """A head, a line, and rows."""
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TABLES))
def test_the_page_shows_what_the_simulation_gives(name: str) -> None:
    """To the last digit; `python -m tests.statistics.figures` prints the tables."""
    assert TABLES[name]() in PAGE.read_text()
