"""Scorers of the order in which passages were found; the formulas are those of `stats.ranking`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gemma_eval.protocols import PassagesScorer
from gemma_eval.records import Case, Given, Judgement, Options, Passage
from gemma_eval.scoring.findings import Finding
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.retrieval_passages import Judged, OfPassages, grade_of, judged, named, unreached
from gemma_eval.stats import ranking
from gemma_eval.stats.judgements import first_places

Measure = Callable[[Judged, int | None, int], float]
"""A measure of judged passages, of the first k of them, of those relevant from a grade on."""
Why = Callable[[Sequence[Judgement], Sequence[Passage], int | None, int], str]
"""Says why a value is not 1, of the same."""


def recall(options: Options) -> PassagesScorer:
    """Of all that is relevant, the share among the first `k` passages, or among all that were found.

    A passage is relevant from the grade `level` on, 1 unless given. Source: trec_eval, `recall`.
    """

    def measure(of: Judged, k: int | None, level: int) -> float:
        return ranking.recall(of.grades, judged=of.known, k=k, level=level)

    return _scorer("recall", options, measure, why=_missed)


def precision(options: Options) -> PassagesScorer:
    """Of the first `k` passages, or of all that were found, the share that is relevant.

    Of fewer than `k` the rest are not relevant; each passage is judged by itself, so that two of a relevant
    document are both. Source: trec_eval, `P`, and `set_P` without `k`.
    """
    return _scorer(
        "precision", options, lambda of, k, n: ranking.precision(of.every, k=k, level=n), why=_noise
    )


def hit_rate(options: Options) -> PassagesScorer:
    """One of the first `k` passages, or of all that were found, is relevant. Source: trec_eval, `success`."""
    return _scorer("hit_rate", options, lambda of, k, n: ranking.hit_rate(of.grades, k=k, level=n), why=_late)


def mrr(options: Options) -> PassagesScorer:
    """1 / the rank of the first relevant passage, 0 where none of the first `k` is.

    The mean over cases is the MRR. Source: trec_eval, `recip_rank`.
    """
    return _scorer(
        "mrr", options, lambda of, k, n: ranking.reciprocal_rank(of.grades, k=k, level=n), why=_late
    )


def average_precision(options: Options) -> PassagesScorer:
    """The precision at the rank of each relevant passage, its mean over all that is relevant.

    The mean over cases is the MAP. Source: trec_eval, `map` and `map_cut`.
    """

    def measure(of: Judged, k: int | None, level: int) -> float:
        return ranking.average_precision(of.grades, judged=of.known, k=k, level=level)

    return _scorer("map", options, measure, why=_missed)


def ndcg(options: Options) -> PassagesScorer:
    """The grades of the first `k` passages, divided by log2(rank + 1), against those of the best order.

    Source: trec_eval, `ndcg` and `ndcg_cut`; Järvelin and Kekäläinen 2002.
    """
    given = CheckOptions("ndcg", options, known=("k",))
    k = given.whole("k", least=1)
    return _of("ndcg", k, 1, lambda of, k, _: ranking.ndcg(of.grades, judged=of.known, k=k), why=_missed)


def _missed(relevant: Sequence[Judgement], found: Sequence[Passage], k: int | None, level: int) -> str:
    """Say what is relevant and not there; nothing where only the order is not the best."""
    pairs = zip(relevant, first_places(found[:k], relevant), strict=True)
    missed = [each for each, at in pairs if at is None and each.grade >= level]
    among = "passages" if k is None else f"first {k}"
    return f"not among the {among}: {named(missed)}" if missed else ""


def _noise(relevant: Sequence[Judgement], found: Sequence[Passage], k: int | None, level: int) -> str:
    """Say how many of the passages are not relevant, or not there."""
    n = sum(grade_of(each, relevant) >= level for each in found[:k])
    looked_at = len(found) if k is None else k
    return f"{looked_at - n} of {looked_at} are not relevant" if found else "nothing was found"


def _late(relevant: Sequence[Judgement], found: Sequence[Passage], k: int | None, level: int) -> str:
    """Say where the first relevant passage is."""
    grades = [grade_of(each, relevant) >= level for each in found]
    if True not in grades:
        return _missed(relevant, found, None, level)
    return f"the first relevant passage has rank {grades.index(True) + 1}"


def _scorer(name: str, options: Options, measure: Measure, *, why: Why) -> PassagesScorer:
    given = CheckOptions(name, options, known=("k", "level"))
    level = given.whole("level", default=1, least=1) or 1
    return _of(name, given.whole("k", least=1), level, measure, why=why)


def _of(name: str, k: int | None, level: int, measure: Measure, *, why: Why) -> PassagesScorer:
    def find(case: Case, given: Given) -> Finding:
        if (nothing := unreached(given)) is not None:
            return nothing
        of = judged(given.passages, case.relevant)
        n_relevant = sum(grade >= level for grade in of.known)
        if not n_relevant:
            return Finding(value=None, answer="", why=f"no passage has a grade of at least {level}")
        figures: dict[str, float] = {"n_found": len(given.passages), "n_relevant": n_relevant}
        if first := ranking.reciprocal_rank(of.grades, level=level):
            figures["first_rank"] = round(1 / first)
        value = measure(of, k, level)
        said = "" if value >= 1 else why(case.relevant, given.passages, k, level)
        return Finding(value=value, answer="", why=said, figures=figures)

    return OfPassages(name=name, find=find, needs=("relevant",))
