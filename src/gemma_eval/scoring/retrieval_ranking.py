"""Scorers of the order in which passages were found; the formulas are those of `stats.ranking`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gemma_eval.protocols import PassagesScorer
from gemma_eval.records import Case, Given, Judgement, Options
from gemma_eval.scoring.findings import Finding
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.retrieval_passages import Judged, OfPassages, judged, named, unreached
from gemma_eval.stats import ranking
from gemma_eval.stats.judgements import first_places

Measure = Callable[[Judged, int | None, int], float]
"""A measure of judged passages, of the first k of them, of those relevant from a grade on."""


def recall(options: Options) -> PassagesScorer:
    """Of all that is relevant, the share among the first `k` passages, or among all that were found.

    A passage is relevant from the grade `level` on, 1 unless given. Source: trec_eval, `recall`.
    """
    return _scorer(
        "recall", options, lambda of, k, n: ranking.recall(of.grades, judged=of.known, k=k, level=n)
    )


def precision(options: Options) -> PassagesScorer:
    """Of the first `k` passages, or of all that were found, the share that is relevant.

    Of fewer than `k` the rest are not relevant; each passage is judged by itself, so that two of a relevant
    document are both. Source: trec_eval, `P`, and `set_P` without `k`.
    """
    return _scorer("precision", options, lambda of, k, n: ranking.precision(of.every, k=k, level=n))


def hit_rate(options: Options) -> PassagesScorer:
    """One of the first `k` passages, or of all that were found, is relevant. Source: trec_eval, `success`."""
    return _scorer("hit_rate", options, lambda of, k, n: ranking.hit_rate(of.grades, k=k, level=n))


def mrr(options: Options) -> PassagesScorer:
    """1 / the rank of the first relevant passage, 0 where none of the first `k` is.

    The mean over cases is the MRR. Source: trec_eval, `recip_rank`.
    """
    return _scorer("mrr", options, lambda of, k, n: ranking.reciprocal_rank(of.grades, k=k, level=n))


def average_precision(options: Options) -> PassagesScorer:
    """The precision at the rank of each relevant passage, its mean over all that is relevant.

    The mean over cases is the MAP. Source: trec_eval, `map` and `map_cut`.
    """

    def measure(of: Judged, k: int | None, level: int) -> float:
        return ranking.average_precision(of.grades, judged=of.known, k=k, level=level)

    return _scorer("map", options, measure)


def ndcg(options: Options) -> PassagesScorer:
    """The grades of the first `k` passages, divided by log2(rank + 1), against those of the best order.

    Source: trec_eval, `ndcg` and `ndcg_cut`; Järvelin and Kekäläinen 2002.
    """
    given = CheckOptions("ndcg", options, known=("k",))
    k = given.whole("k", least=1)
    return _of("ndcg", k, 1, lambda of, k, _: ranking.ndcg(of.grades, judged=of.known, k=k))


def _scorer(name: str, options: Options, measure: Measure) -> PassagesScorer:
    given = CheckOptions(name, options, known=("k", "level"))
    return _of(name, given.whole("k", least=1), given.whole("level", default=1, least=1) or 1, measure)


def _of(name: str, k: int | None, level: int, measure: Measure) -> PassagesScorer:
    def find(case: Case, given: Given) -> Finding:
        if (nothing := unreached(given)) is not None:
            return nothing
        of = judged(given.passages, case.relevant)
        n_relevant = sum(grade >= level for grade in of.known)
        if not n_relevant:
            return Finding(value=None, answer="", why=f"no passage has a grade of at least {level}")
        figures: dict[str, float] = {"n_found": len(given.passages), "n_relevant": n_relevant}
        first = ranking.reciprocal_rank(of.grades, level=level)
        if first:
            figures["first_rank"] = round(1 / first)
        missed = _missed(case.relevant, first_places(given.passages[:k], case.relevant), level)
        return Finding(value=measure(of, k, level), answer="", why=_why(missed, k), figures=figures)

    return OfPassages(name=name, find=find, needs=("relevant",))


def _missed(relevant: Sequence[Judgement], places: Sequence[int | None], level: int) -> tuple[Judgement, ...]:
    pairs = zip(relevant, places, strict=True)
    return tuple(each for each, at in pairs if at is None and each.grade >= level)


def _why(missed: Sequence[Judgement], k: int | None) -> str:
    if not missed:
        return ""
    return f"not among the {'passages' if k is None else f'first {k}'}: {named(missed)}"
