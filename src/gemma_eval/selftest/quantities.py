"""The statistics that published values are of, each by the functions that reports and gates use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast, get_args

from gemma_eval.protocols import Scorer
from gemma_eval.records import Options, Reduction
from gemma_eval.scoring.translation import bleu, chrf
from gemma_eval.selftest.vector_case import answer_of, case_of
from gemma_eval.selftest.vectors import Given, Vector
from gemma_eval.stats.agreement import Level, krippendorff_alpha
from gemma_eval.stats.intervals import Interval, student_t, wilson
from gemma_eval.stats.paired import paired
from gemma_eval.stats.percentiles import mean, standard_deviation
from gemma_eval.stats.reduction import Repeat, reduced
from gemma_eval.stats.translation import corpus_bleu, corpus_chrf

Quantity = Callable[[Given], float | None]
Figures = Mapping[str, float]


def _variance(given: Given) -> float | None:
    spread = standard_deviation(given.values)
    return None if spread is None else spread**2


def _standard_error(given: Given) -> float | None:
    spread = standard_deviation(given.values)
    return None if spread is None else spread / math.sqrt(len(given.values))


def _clustered_standard_error(given: Given) -> float | None:
    """Return that of the mean of all values, where each of `rows` is one cluster."""
    values = [value for row in given.rows for value in row]
    clusters = [number for number, row in enumerate(given.rows) for _ in row]
    found = paired(values, clusters=clusters)
    return None if found is None else found.se


def _t(given: Given) -> float | None:
    """Return the quantile 0.975 of Student's t of `n` degrees of freedom, from an interval of n + 1 data."""
    values = [float(number) for number in range(given.n + 1)]
    interval, spread = student_t(values), standard_deviation(values)
    if interval.low is None or interval.high is None or not spread:
        return None
    return (interval.high - interval.low) / 2 / (spread / math.sqrt(len(values)))


def _wilson(given: Given) -> Interval:
    return wilson(given.values[0], given.n)


def _reduced(given: Given, by: Reduction) -> float | None:
    """Reduce the values of repeats, a value of 1 a success, by what the texts of the answers are."""
    texts = given.texts or ("",) * len(given.values)
    pairs = zip(given.values, texts, strict=True)
    repeats = [Repeat(value=value, succeeds=value == 1, answer=text) for value, text in pairs]
    return reduced(repeats, by=by, k=given.k or None)


def _alpha(given: Given) -> float | None:
    return krippendorff_alpha(given.rows, level=cast(Level, given.level))


def _of_corpus(
    given: Given, *, scorer: Callable[[Options], Scorer], value: Callable[[Sequence[Figures]], float | None]
) -> float | None:
    """Score each text against its references, and return what the counts of all make together."""
    nothing = Vector(name="")
    scorers = [scorer({**given.options, "reference": references}) for references in given.references]
    pairs = zip(scorers, given.texts, strict=True)
    return value([score(case_of(nothing), answer_of(nothing, text)).figures for score, text in pairs])


QUANTITIES: Mapping[str, Quantity] = {
    **{f"reduce_{name}": partial(_reduced, by=name) for name in get_args(Reduction)},
    "krippendorff_alpha": _alpha,
    "corpus_bleu": partial(_of_corpus, scorer=bleu, value=corpus_bleu),
    "corpus_chrf": partial(_of_corpus, scorer=chrf, value=corpus_chrf),
    "mean": lambda given: mean(given.values),
    "variance": _variance,
    "standard_error": _standard_error,
    "clustered_standard_error": _clustered_standard_error,
    "t_975": _t,
    "t_low": lambda given: student_t(given.values).low,
    "t_high": lambda given: student_t(given.values).high,
    "wilson_low": lambda given: _wilson(given).low,
    "wilson_high": lambda given: _wilson(given).high,
}
