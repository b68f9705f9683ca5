"""Which cells a gate is about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.records import Cell, Where
from gemma_eval.verdict.where import fits
from tests.examples import an_outcome


def a_cell() -> Cell:
    """Return a cell with tags and names that are known here."""
    cell = an_outcome("capital-1").trial.cell
    return replace(
        cell,
        suite="standard",
        case=replace(cell.case, tags=("geo", "easy")),
        model=replace(cell.model, name="pocket-q8"),
        profile=replace(cell.profile, name="greedy"),
        template=replace(cell.template, name="rag"),
    )


@pytest.mark.parametrize(
    ("where", "is_about"),
    [
        (Where(), True),
        (Where(suite="standard"), True),
        (Where(suite="stand"), False),
        (Where(case="capital-*"), True),
        (Where(case="capital-?"), True),
        (Where(case="capital"), False),
        (Where(tag="geo"), True),
        (Where(tag="e*"), True),
        (Where(tag="hard"), False),
        (Where(kind="quality"), True),
        (Where(kind="benchmark"), False),
        (Where(model="pocket*"), True),
        (Where(model="POCKET*"), False),
        (Where(profile="gr[de]edy"), True),
        (Where(profile="gr[!e]edy"), False),
        (Where(template="plain"), False),
        (Where(template="rag", model="pocket-q8", tag="easy"), True),
        (Where(template="rag", model="pocket-q8", tag="hard"), False),
    ],
)
def test_a_cell_has_all_that_is_asked_for(where: Where, is_about: bool) -> None:
    """Globs are of whole names; what is not asked for does not matter."""
    assert fits(where, a_cell()) is is_about


def test_a_case_without_tags_has_no_tag() -> None:
    """Not even any."""
    cell = a_cell()
    assert not fits(Where(tag="*"), replace(cell, case=replace(cell.case, tags=())))
