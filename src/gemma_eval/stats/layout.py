"""A two-way layout with the case as block: what profile, template and their combination do to a score.

Every case has a score with every profile and every template. The mean of profile i and template j is

    mean_ij = mean + profile_i + template_j + both_ij

where the effects of a kind add up to 0, and `both` is what the combination does beyond the sum of the two. An
effect is tested against how much it differs from case to case (an error stratum of its own), by the F test of
repeated measures with the correction of Greenhouse and Geisser: differences between levels may vary unlike.
Source: Winer 1971, Statistical Principles in Experimental Design, section 4.2; Greenhouse and Geisser 1959.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_ROUNDING = 1e-20
"""Squares of scores that add up to less are of rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FTest:
    """F, its degrees of freedom, the correction `epsilon` by which both are multiplied, and the p."""

    f: float
    df_effect: int
    df_error: int
    epsilon: float
    p: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The mean score over `cases` cases and what changes it.

    A test is `None` of a factor with one level, and where no case differs from another.
    """

    cases: int
    mean: float
    profiles: Mapping[str, float]
    templates: Mapping[str, float]
    both: Mapping[tuple[str, str], float]
    profile_test: FTest | None
    template_test: FTest | None
    both_test: FTest | None


def layout(cells: Mapping[tuple[str, str], Sequence[float]]) -> Layout | None:
    """Return the layout of the scores of each profile and template, one per case and in the same order.

    `None` where a combination or a score is missing, or where there are not two cases.
    """
    profiles = tuple(dict.fromkeys(profile for profile, _ in cells))
    templates = tuple(dict.fromkeys(template for _, template in cells))
    sizes = {len(scores) for scores in cells.values()}
    if len(cells) != len(profiles) * len(templates) or len(sizes) != 1 or max(sizes) < 2:
        return None
    import numpy as np

    scores = np.array([[cells[profile, template] for template in templates] for profile in profiles])
    scores = np.moveaxis(scores, 2, 0)  # [cases, profiles, templates]
    levels = scores - scores.mean(axis=(1, 2), keepdims=True)
    rows, columns = levels.mean(axis=2, keepdims=True), levels.mean(axis=1, keepdims=True)
    beyond = levels - rows - columns
    n_rows, n_columns = len(profiles) - 1, len(templates) - 1
    effects = beyond.mean(axis=0)
    return Layout(
        cases=len(scores),
        mean=float(scores.mean()),
        profiles=dict(zip(profiles, rows.mean(axis=0).ravel().tolist(), strict=True)),
        templates=dict(zip(templates, columns.mean(axis=0).ravel().tolist(), strict=True)),
        both={
            (profile, template): float(effects[row, column])
            for row, profile in enumerate(profiles)
            for column, template in enumerate(templates)
        },
        profile_test=_test(rows, n_rows),
        template_test=_test(columns, n_columns),
        both_test=_test(beyond, n_rows * n_columns),
    )


def _test(effects: Array, rank: int) -> FTest | None:
    """Return the F test of effects [cases, ...] that are free in `rank` directions."""
    import numpy as np
    from scipy.special import fdtrc

    cases = len(effects)
    flat = effects.reshape(cases, -1)
    means = flat.mean(axis=0)
    left = flat - means
    error = float((left**2).sum())
    if not rank or error < _ROUNDING:
        return None
    f = float(cases * (means**2).sum() / rank / (error / (rank * (cases - 1))))
    covariance = left.T @ left
    epsilon = float(np.trace(covariance) ** 2 / (rank * (covariance**2).sum()))
    df_error = rank * (cases - 1)
    p = float(fdtrc(epsilon * rank, epsilon * df_error, f))
    return FTest(f=f, df_effect=rank, df_error=df_error, epsilon=epsilon, p=p)
