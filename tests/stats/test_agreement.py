"""Kappa and alpha are those of two other implementations and of published tables, and planted errors show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from gemma_eval.stats import agreement
from gemma_eval.stats.agreement import Level, cohen_kappa, krippendorff_alpha
from tests import required

krippendorff = required.module("krippendorff", extra="test")
metrics = required.module("sklearn.metrics", extra="test")

Alpha = Callable[..., float | None]
Units = Sequence[Sequence[float | None]]

# UKGovernmentBEIS/inspect_ai@499e6152:tests/scorer/test_krippendorff.py (MIT); `krippendorff` 0.9.0 agrees.
VECTORS: tuple[tuple[Level, Units, float], ...] = (
    ("nominal", ((1, 1, 1), (0, 0, 0), (1, 1, 1), (0, 0, 1)), 0.685714),
    ("nominal", ((0, 1), (0, 1), (1, 0), (1, 0)), -0.75),
    ("nominal", ((1, 1, 0), (0, 0)), 1 / 3),
    ("interval", ((1, 2), (3, 4), (1, 1)), 19 / 24),
    ("ordinal", ((1, 1), (3, 4), (5, 5)), 94 / 99),
)

# Krippendorff 2011, section C: four observers, twelve units, with gaps; the alphas are the paper's.
OBSERVED = (
    (1, 1, None, 1), (2, 2, 3, 2), (3, 3, 3, 3), (3, 3, 3, 3), (2, 2, 2, 2), (1, 2, 3, 4),
    (4, 4, 4, 4), (1, 1, 2, 1), (2, 2, 2, 2), (None, 5, 5, 5), (None, None, 1, 1), (None, None, 3, None),
)  # fmt: skip
PUBLISHED: dict[Level, float] = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849}

LABELS = st.lists(
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=3, max_size=3), min_size=2, max_size=12
)
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=40)


def vectors_hold(alpha: Alpha) -> bool:
    """Say whether every outside value comes out."""
    outside = all(
        alpha(units, level=level) == pytest.approx(value, abs=1e-6) for level, units, value in VECTORS
    )
    paper = all(
        alpha(OBSERVED, level=level) == pytest.approx(value, abs=5e-4) for level, value in PUBLISHED.items()
    )
    return outside and paper


def test_alpha_is_that_of_the_outside_vectors_and_of_the_paper() -> None:
    """Of three levels, with and without gaps."""
    assert vectors_hold(krippendorff_alpha)


def test_the_vectors_catch_planted_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance with replacement and a linear distance are both noticed."""
    planted = cast(Alpha, _with_replacement)
    assert not vectors_hold(planted)
    linear = {**agreement._DISTANCES, "interval": lambda _: lambda one, other: abs(one - other)}
    monkeypatch.setattr(agreement, "_DISTANCES", linear)
    assert not vectors_hold(krippendorff_alpha)


def _with_replacement(units: Units, *, level: Level) -> float | None:
    found = krippendorff_alpha(units, level=level)
    n = sum(label is not None for unit in units for label in unit)
    return None if found is None else 1 - (1 - found) * n / (n - 1)


@given(LABELS, st.sampled_from(["nominal", "ordinal", "interval"]))
@settings(max_examples=30, deadline=None)
def test_alpha_agrees_with_the_package_krippendorff(units: list[list[int | None]], level: Level) -> None:
    """On random labels with gaps; where it refuses, for there is one label alone, ours is `None`."""
    ours = krippendorff_alpha(units, level=level)
    known = [unit for unit in units if sum(label is not None for label in unit) > 1]
    if len({label for unit in known for label in unit if label is not None}) < 2:
        assert ours is None
        return
    table = np.array(known, dtype=float).T
    theirs = krippendorff.alpha(reliability_data=table, level_of_measurement=level)
    assert ours == pytest.approx(theirs, abs=1e-9)


@given(PAIRS)
@settings(max_examples=30, deadline=None)
def test_kappa_agrees_with_scikit_learn_and_statsmodels(pairs: list[tuple[str, str]]) -> None:
    """On random labels; both call it undefined where each rater gave the same label always."""
    first, second = zip(*pairs, strict=True)
    found = cohen_kappa(first, second)
    assert found is not None
    if found.value is None:
        assert len({*first, *second}) == 1
        return
    assert found.value == pytest.approx(metrics.cohen_kappa_score(first, second), abs=1e-9)
    names = sorted({*first, *second})
    table = [[sum(pair == (one, other) for pair in pairs) for other in names] for one in names]
    with np.errstate(invalid="ignore"):  # of a kappa without spread it makes a z value, too
        assert found.value == pytest.approx(float(cohens_kappa(np.array(table)).kappa), abs=1e-9)


def test_kappa_is_that_of_cohens_own_table() -> None:
    """Cohen 1960, table 1: 200 judgements in three categories; p_o .70, p_e .41 and kappa .492."""
    counts = ((88, 10, 2), (14, 40, 6), (18, 10, 12))
    pairs = [(i, j) for i, row in enumerate(counts) for j, n in enumerate(row) for _ in range(n)]
    found = cohen_kappa([one for one, _ in pairs], [other for _, other in pairs])
    assert found is not None
    assert found.agreement == pytest.approx(0.70)
    assert found.chance == pytest.approx(0.41)
    assert found.value == pytest.approx(0.492, abs=5e-4)
    planted = (found.agreement - 1 / 3) / (1 - 1 / 3)  # chance of equally frequent labels
    assert planted != pytest.approx(0.492, abs=5e-3)


def test_the_interval_of_kappa_covers_what_it_should() -> None:
    """Of 400 tables of 60 items each, at three true values; a half-width cut by two covers too little."""
    random = np.random.default_rng(7)
    for right in (0.6, 0.8, 0.95):
        true = 2 * right - 1
        covered = narrow = 0
        for _ in range(400):
            gold = random.integers(0, 2, 60)
            said = np.where(random.random(60) < right, gold, 1 - gold)
            found = cohen_kappa(gold.tolist(), said.tolist())
            assert found is not None
            low, high = cast(float, found.low), cast(float, found.high)
            middle, quarter = (low + high) / 2, (high - low) / 4
            covered += low <= true <= high
            narrow += middle - quarter <= true <= middle + quarter
        assert covered >= 400 * 0.92
        assert narrow < 400 * 0.85


def test_raters_who_always_agree_have_an_interval_of_some_width() -> None:
    """Sixty agreements are no proof of always."""
    found = cohen_kappa(["a", "b"] * 30, ["a", "b"] * 30)
    assert found is not None
    assert found.value == found.high == 1
    assert 0.8 < cast(float, found.low) < 0.95


def test_nothing_to_tell_apart_is_none_and_not_one() -> None:
    """One label alone gives no agreement beyond chance."""
    assert krippendorff_alpha([["a", "a"], ["a", "a"]], level="nominal") is None
    assert krippendorff_alpha([["a"], ["b"]], level="nominal") is None
    assert cohen_kappa([], []) is None
    one = cohen_kappa(["a", "a"], ["a", "a"])
    assert one is not None
    assert one.value is None
