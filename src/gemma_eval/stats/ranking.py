"""How well an order of passages puts first those that bear on a question; the definitions of trec_eval.

A passage is relevant from the grade `level` on; the grades are those at rank 1, 2, …, and R of all that were
judged are relevant. Below a cut-off k nothing is looked at, and without one all that was found is.

    P@k = relevant in the first k / k               recall@k = relevant in the first k / R
    hit@k = 1 where recall@k > 0                    RR@k = 1 / rank of the first relevant one
    AP@k = Σ P@r / R, over the ranks r ≤ k of relevant ones
    DCG@k = Σ grade / log2(rank + 1)                nDCG@k = DCG@k / DCG@k of the best order

MAP and MRR are the means of AP and RR. Where none is relevant all of them are 0, as there.
Source: usnistgov/trec_eval 10.0 (P, recall, success, recip_rank, map_cut, ndcg_cut); Järvelin and Kekäläinen
2002, whose gain is the grade.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

Missing = Literal["zero", "skip"]
"""What a query counts for which a run has nothing: 0 (trec_eval -c), or it is left out (trec_eval)."""


def precision(grades: Sequence[int], *, k: int | None = None, level: int = 1) -> float:
    """Return P@k; of fewer than k passages those that are not there are not relevant."""
    n = len(grades) if k is None else k
    return _n_relevant(grades[:n], level) / n if n else 0.0


def recall(grades: Sequence[int], *, judged: Sequence[int], k: int | None = None, level: int = 1) -> float:
    """Return recall@k, of all the grades that were `judged`."""
    n = _n_relevant(judged, level)
    return _n_relevant(grades[:k], level) / n if n else 0.0


def hit_rate(grades: Sequence[int], *, k: int | None = None, level: int = 1) -> float:
    """Return 1 where one of the first k is relevant, else 0."""
    return float(any(grade >= level for grade in grades[:k]))


def reciprocal_rank(grades: Sequence[int], *, k: int | None = None, level: int = 1) -> float:
    """Return 1 / rank of the first relevant passage, 0 where there is none among the first k."""
    return next((1 / rank for rank, grade in enumerate(grades[:k], start=1) if grade >= level), 0.0)


def average_precision(
    grades: Sequence[int], *, judged: Sequence[int], k: int | None = None, level: int = 1
) -> float:
    """Return AP@k, of all the grades that were `judged`."""
    n, found, total = _n_relevant(judged, level), 0, 0.0
    for rank, grade in enumerate(grades[:k], start=1):
        if grade >= level:
            found += 1
            total += found / rank
    return total / n if n else 0.0


def ndcg(grades: Sequence[int], *, judged: Sequence[int], k: int | None = None) -> float:
    """Return nDCG@k, the best order being that of all the grades that were `judged`; none below 0 gains."""
    best = _dcg(sorted(judged, reverse=True)[:k])
    return _dcg(grades[:k]) / best if best else 0.0


def in_order(scores: Mapping[str, float]) -> tuple[str, ...]:
    """Return the names of passages by their scores as trec_eval sorts them.

    It reads scores as float32, whose ties are many, and puts the name that comes last in the order of its
    UTF-8 bytes first; the ranks that a run gives are not looked at.
    """
    return tuple(sorted(scores, key=lambda name: (_as_float32(scores[name]), name.encode()), reverse=True))


def mean_of_queries(
    values: Mapping[str, float], queries: Collection[str], *, missing: Missing
) -> float | None:
    """Return the mean over the judged `queries`, `None` of none; values of other queries do not count."""
    counted = [values.get(query, 0.0) for query in queries if query in values or missing == "zero"]
    return math.fsum(counted) / len(counted) if counted else None


def _n_relevant(grades: Sequence[int], level: int) -> int:
    return sum(grade >= level for grade in grades)


def _dcg(grades: Sequence[int]) -> float:
    return math.fsum(max(grade, 0) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _as_float32(score: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", score))[0])
    except OverflowError:
        return math.copysign(math.inf, score)
