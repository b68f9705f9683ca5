"""Scores are held together case by case, and what differs in the cases is not among the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from gemma_eval.records import Check, Comparison, Failure, Outcome, Passage, Prompt
from gemma_eval.stats.binary import tango
from gemma_eval.stats.exact import exact_bounds
from gemma_eval.verdict.quality import compare_scores
from gemma_eval.verdict.sides import Pair
from tests.verdict.two_sides import Scores, pair, scored


def compared(base: Scores, candidate: Scores, **changes: float) -> Comparison:
    """Return how two sides with these scores compare."""
    found = compare_scores(pair(base, candidate), **changes)
    assert found is not None
    return found


GRADED = [((index * 37) % 100) / 100 for index in range(40)]


def test_graded_scores_have_the_bounds_of_a_paired_t_test() -> None:
    """The oracle: SciPy's one-sided intervals of the differences."""
    worse = [max(0.0, score - 0.1 - (index % 5) / 50) for index, score in enumerate(GRADED)]
    found = compared(GRADED, worse)
    test = stats.ttest_rel(GRADED, worse)
    assert found.difference == pytest.approx(float(test.statistic * test._standard_error))
    low, high = test.confidence_interval(0.9)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)
    assert (found.n, found.unit, found.verdict) == (40, "case", "REGRESSED")
    assert found.base == pytest.approx(sum(GRADED) / 40)


def test_right_and_wrong_answers_have_exact_bounds() -> None:
    """Six of a hundred became wrong, two right; of ten it is proved that more than 2 points are lost."""
    base = [1.0] * 60 + [0.0] * 40
    for worse, verdict in ((6, "INCONCLUSIVE"), (10, "REGRESSED")):
        candidate = [0.0] * worse + [1.0] * (60 - worse) + [1.0] * 2 + [0.0] * 38
        found = compared(base, candidate)
        expected = exact_bounds(worse, 2, n=100, level=0.05)
        assert (found.low, found.high) == (expected.low, expected.high)
        assert found.difference == pytest.approx((worse - 2) / 100)
        assert found.verdict == verdict


def test_repeats_of_one_case_are_one_datum() -> None:
    """A case of five repeats counts as its mean, so five times the answers are not five times the data."""
    base = [[1.0, 1.0, 1.0, 1.0, 0.0]] * 12
    found = compared(base, [[0.0, 1.0, 0.0, 1.0, 0.0]] * 6 + base[6:])
    assert (found.n, found.unit) == (12, "case")
    assert found.difference == pytest.approx(0.2)


def test_cases_of_one_cluster_are_one_datum() -> None:
    """Questions about one document go together."""
    found = compare_scores(
        pair(
            GRADED,
            [score * 0.9 for score in GRADED],
            cluster=[f"document-{index % 4}" for index in range(40)],
        )
    )
    assert found is not None
    assert (found.n, found.unit) == (4, "cluster")


def test_the_same_text_everywhere_is_no_worse_whatever_it_scores() -> None:
    """Without any statistics; another text ends that, and so does a scorer that scores it otherwise."""
    same = scored([1.0, 0.0, 0.5])
    found = compare_scores(Pair(shared="", base=same, candidate=same))
    assert found is not None
    assert (found.verdict, found.lean, found.difference) == ("PASS", "identical", 0.0)
    assert compared([1.0, 0.0, 0.5], [1.0, 0.0, 0.5]).verdict == "INCONCLUSIVE"
    found = compare_scores(Pair(shared="", base=same, candidate=scored([1.0, 0.0, 0.0])))
    assert found is not None
    assert found.lean != "identical"


def looked_up(values: Sequence[float], *ids: str, weight: float = 1.0) -> tuple[Outcome, ...]:
    """Return cases that a recall scores, of which these passages were found and nothing was written."""
    check = Check(scorer="recall", of_passages=True, weight=weight)
    passages = tuple(
        Passage(id=id_, text=id_, document="d", score=1.0, rank=rank) for rank, id_ in enumerate(ids, start=1)
    )
    found = []
    for each in scored(values):
        cell = each.trial.cell
        cell = replace(cell, case=replace(cell.case, checks=(check,)))
        prompt = Prompt(messages=(), text=None, n_tokens=None, passages=passages)
        found.append(replace(each, trial=replace(each.trial, cell=cell), prompt=prompt))
    return tuple(found)


@pytest.mark.parametrize("is_written", [True, False])
def test_other_passages_are_not_the_same_where_they_count(is_written: bool) -> None:
    """Two searches that a few cases score alike are two, though nothing was written, or the same."""

    def side(*ids: str, weight: float = 1.0) -> tuple[Outcome, ...]:
        made = looked_up([1.0, 0.0, 0.5], *ids, weight=weight)
        return made if is_written else tuple(replace(each, generation=None) for each in made)

    def lean(base: tuple[Outcome, ...], candidate: tuple[Outcome, ...]) -> str | None:
        found = compare_scores(Pair(shared="", base=base, candidate=candidate))
        assert found is not None
        return found.lean

    assert lean(side("a", "b"), side("a", "b")) == "identical"
    assert lean(side("a", "b"), side("b", "a")) != "identical"
    assert lean(side("a", weight=0.0), side("b", weight=0.0)) == "identical"


def test_an_answer_that_never_came_is_not_identical_to_another_that_did_not() -> None:
    """A failure has no score, so its case is left out and said to be; the base had none to lose."""
    failed = [
        replace(each, generation=None, failure=Failure(kind="timeout", message="")) for each in scored([1.0])
    ]
    whole = scored([1.0, 1.0])[1:]
    side = (*failed, *whole)
    found = compare_scores(Pair(shared="", base=side, candidate=side))
    assert found is not None
    assert (found.n, found.left_out) == (1, ("1 case without a score",))


def asking(outcome: Outcome, text: str) -> Outcome:
    """Return the outcome of a case that asks something else."""
    case = outcome.trial.cell.case
    message = replace(case.messages[0], content=text)
    cell = replace(outcome.trial.cell, case=replace(case, messages=(message,)))
    return replace(outcome, trial=replace(outcome.trial, cell=cell))


def test_a_case_that_asks_something_else_is_not_held_together() -> None:
    """Nor one that a side does not have; without any other the sides are incomparable."""
    base, candidate = scored([1.0, 1.0, 0.0]), scored([1.0, 0.0], text="Rome")
    changed = (asking(candidate[0], "Where does Ada live?"), candidate[1])
    found = compare_scores(Pair(shared="", base=base, candidate=changed))
    assert found is not None
    assert (found.n, found.left_out) == (1, ("1 case changed", "1 case of the base alone"))
    found = compare_scores(Pair(shared="", base=base, candidate=changed[:1]))
    assert found is not None
    assert (found.verdict, found.reason) == ("INCOMPARABLE", "no case asks the same on both sides")


def test_where_a_case_stands_and_what_it_runs_with_does_not_change_it() -> None:
    """A file that grew a comment, another list of models, another cluster: it still asks the same."""
    base = scored([1.0])
    case = base[0].trial.cell.case
    moved = replace(case, source=replace(case.source, line=99), models=("other",), tags=("new",), cluster="x")
    cell = replace(base[0].trial.cell, case=moved)
    candidate = (replace(base[0], trial=replace(base[0].trial, cell=cell)),)
    found = compare_scores(Pair(shared="", base=base, candidate=candidate))
    assert found is not None
    assert found.verdict == "PASS"


def test_what_would_decide_is_told_where_the_data_tell() -> None:
    """More cases than there are, and a loss that they would find; where few differ, one of whole scores."""
    found = compared(GRADED, [max(0.0, score - (index % 7) / 25 + 0.1) for index, score in enumerate(GRADED)])
    assert found.verdict == "INCONCLUSIVE"
    assert found.detectable is not None
    assert found.detectable > found.margin
    assert found.needed is None or found.needed > found.n
    few = compared([1.0, 0.5, 0.75, 0.5] * 3, [1.0, 0.5, 0.75, 0.25] + [1.0, 0.5, 0.75, 0.5] * 2)
    assert few.verdict == "INCONCLUSIVE"
    assert few.detectable == pytest.approx(found_by_signs(12))
    assert few.needed is not None
    assert few.needed > few.n


def found_by_signs(n: int, margin: float = 0.02) -> float:
    """Return the share of whole losses that few graded scores would prove in 80 %, by SciPy alone."""

    def proves(worse: int) -> bool:
        lost = [1.0] * worse + [0.0] * (n - worse)
        return stats.binom.sf(worse - 1, n, margin) < 0.05 and signs(lost, margin) <= 0.05

    least = next(worse for worse in range(1, n + 1) if proves(worse))
    return float(optimize.brentq(lambda share: stats.binom.sf(least - 1, n, share) - 0.8, 1e-9, 1.0))


def share_found(n: int, margin: float = 0.02) -> float:
    """Return the share of wrong answers that n would prove in 80 %, where none that were wrong are right."""
    least = next(worse for worse in range(1, n + 1) if exact_bounds(worse, 0, n=n, level=0.05).above(margin))
    return float(optimize.brentq(lambda share: stats.binom.sf(least - 1, n, share) - 0.8, 1e-9, 1.0))


@pytest.mark.parametrize(
    ("n", "worse", "verdict"),
    [(100, 0, "INCONCLUSIVE"), (100, 3, "INCONCLUSIVE"), (100, 9, "REGRESSED"), (200, 0, "PASS")],
)
def test_of_few_that_differ_it_is_told_what_they_would_find(n: int, worse: int, verdict: str) -> None:
    """With every verdict: the oracle is SciPy's binomial distribution of what the bounds prove."""
    found = compared([1.0] * n, [0.0] * worse + [1.0] * (n - worse))
    assert found.verdict == verdict
    assert found.detectable == pytest.approx(share_found(n))
    assert (found.needed is not None) == (verdict == "INCONCLUSIVE")


def test_identical_answers_say_what_so_many_cases_would_find() -> None:
    """These are no worse, proved; of others three would find no loss whatever."""
    for n, loss in ((60, share_found(60)), (3, None)):
        same = scored([1.0] * n)
        found = compare_scores(Pair(shared="", base=same, candidate=same))
        assert found is not None
        assert (found.lean, found.p) == ("identical", None)
        assert found.detectable == (None if loss is None else pytest.approx(loss))


def test_identical_answers_in_clusters_are_as_many_data_as_those() -> None:
    """What so many would find is counted in them, too."""
    same = scored([1.0] * 240, cluster=[f"document-{index % 60}" for index in range(240)])
    found = compare_scores(Pair(shared="", base=same, candidate=same))
    assert found is not None
    assert (found.lean, found.n, found.unit) == ("identical", 60, "cluster")
    assert found.detectable == pytest.approx(share_found(60), abs=0.02)


@pytest.mark.parametrize("n", [60, 300])
@pytest.mark.parametrize("better", [0.0, 0.02, 0.1])
def test_the_loss_that_would_be_found_is_proved_about_so_often(n: int, better: float) -> None:
    """Simulated: of 300 comparisons with that loss about 80 % are REGRESSED, and never few."""
    random = np.random.default_rng(n)
    won = round(n * better)
    lost = won
    first = compared([1.0] * (n - won) + [0.0] * won, [0.0] * lost + [1.0] * (n - lost))
    assert first.detectable is not None
    worse = first.detectable + better
    drawn = random.multinomial(n, [worse, better, 1 - worse - better], size=300)
    often = Counter((b, c) for b, c, _ in drawn.tolist())
    proved = sum(times for (b, c), times in often.items() if exact_bounds(b, c, n=n, level=0.05).above(0.02))
    assert 0.72 <= proved / len(drawn) <= 0.92


@pytest.mark.parametrize(("n", "worse", "better"), [(60, 2, 2), (100, 6, 2)])
def test_so_many_cases_as_are_needed_would_mostly_decide(n: int, worse: int, better: int) -> None:
    """Simulated with the shares that were found."""
    found = compared([1.0] * (n - better) + [0.0] * better, [0.0] * worse + [1.0] * (n - worse))
    assert found.verdict == "INCONCLUSIVE"
    assert found.needed is not None
    random = np.random.default_rng(n)
    many = min(found.needed, 40_000)
    drawn = random.multinomial(many, [worse / n, better / n, 1 - (worse + better) / n], size=200)
    decided = 0
    for b, c, _ in drawn.tolist():
        of = tango(b, c, n=many, level=0.05)
        decided += of.above(0.02) or of.below(0.02)
    assert many == found.needed
    assert decided / len(drawn) >= 0.75


@pytest.mark.parametrize("n", [148, 149])
def test_equal_scores_of_other_texts_pass_when_there_are_so_many_as_was_said(n: int) -> None:
    """A hundred equal ones prove less than a thousand; how many prove enough is known."""
    scores = [1.0, 0.0] * (n // 2) + [1.0] * (n % 2)
    assert compared(scores, scores).verdict == ("PASS" if n == 149 else "INCONCLUSIVE")
    assert compared([1.0] * 20, [1.0] * 20).needed == 149


def test_a_candidate_that_lost_cases_does_not_pass() -> None:
    """They may be the hard ones: it failed on them, could not be scored or ended before them."""
    base, candidate = scored([1.0] * 300), scored([1.0] * 300, text="Rome")
    failed = replace(candidate[0], generation=None, scores=(), failure=Failure(kind="timeout", message=""))
    unscored = scored([None], text="Rome")
    for lost in ((failed,), unscored, ()):
        found = compare_scores(Pair(shared="", base=base, candidate=(*lost, *candidate[1:])))
        assert found is not None
        assert found.verdict == "INCONCLUSIVE"
        assert found.reason.startswith("the candidate has no score of 1 case that the base has one of")
    for others in (candidate, candidate[1:]):
        whole = compare_scores(Pair(shared="", base=(*unscored, *base[1:]), candidate=others))
        assert whole is not None
        assert whole.verdict == "PASS"  # for the base had no score to lose


def test_the_same_text_is_not_identical_where_a_case_was_lost() -> None:
    """One answer that is left of two proves nothing of the other."""
    same = scored([1.0, 1.0])
    found = compare_scores(Pair(shared="", base=same, candidate=same[:1]))
    assert found is not None
    assert (found.verdict, found.lean) == ("INCONCLUSIVE", None)


def test_no_score_at_all_is_not_taken_for_other_questions() -> None:
    """The reason is the true one."""
    found = compared([1.0, 1.0], [None, None])
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", "no case has a score on both sides")


def of_suite(outcomes: tuple[Outcome, ...], suite: str) -> tuple[Outcome, ...]:
    """Return the outcomes as those of another suite."""
    return tuple(
        replace(each, trial=replace(each.trial, cell=replace(each.trial.cell, suite=suite)))
        for each in outcomes
    )


def test_cases_of_two_suites_are_two_though_they_have_one_id() -> None:
    """They are neither one cluster nor one text."""
    base = (*of_suite(scored(GRADED), "a"), *of_suite(scored(GRADED), "b"))
    other = [score * 0.9 for score in GRADED]
    candidate = (*of_suite(scored(GRADED), "a"), *of_suite(scored(other, text="Rome"), "b"))
    found = compare_scores(Pair(shared="", base=base, candidate=candidate))
    assert found is not None
    assert (found.n, found.unit) == (80, "case")


def test_a_wider_margin_lets_more_pass() -> None:
    """And a narrower one less; the margin is in the record."""
    worse = [max(0.0, score - 0.01 - (index % 5) / 50) for index, score in enumerate(GRADED)]
    verdicts = [compared(GRADED, worse, margin=margin).verdict for margin in (0.005, 0.046, 0.06)]
    assert verdicts == ["REGRESSED", "INCONCLUSIVE", "PASS"]


def test_sides_without_checks_have_no_score_to_compare() -> None:
    """Benchmarks alone are compared by their times."""
    outcome = scored([1.0])[0]
    cell = replace(outcome.trial.cell, case=replace(outcome.trial.cell.case, checks=()))
    unchecked = (replace(outcome, trial=replace(outcome.trial, cell=cell)),)
    assert compare_scores(Pair(shared="", base=unchecked, candidate=unchecked)) is None


def test_the_p_of_graded_scores_is_that_of_a_paired_t_test() -> None:
    """The oracle: SciPy's p of "no more than the margin is lost"."""
    worse = [max(0.0, score - 0.03 - (index % 5) / 50) for index, score in enumerate(GRADED)]
    found = compared(GRADED, worse)
    lost = [one - other for one, other in zip(GRADED, worse, strict=True)]
    assert found.p == pytest.approx(stats.ttest_1samp(lost, 0.02, alternative="greater").pvalue)


def test_the_p_of_right_and_wrong_answers_is_below_a_level_just_where_they_regress() -> None:
    """The oracle of the p: the largest chance of as many, over all shares that change, from SciPy.

    With b of n worse and c better, it is the sum over what is at least as far off; where no more are better
    the worst case is a binomial test of the margin.
    """
    base = [1.0] * 100
    for worse in range(12):
        found = compared(base, [0.0] * worse + [1.0] * (100 - worse))
        test = stats.binomtest(worse, 100, 0.02, alternative="greater").pvalue if worse else 1.0
        assert found.p is not None
        assert found.p >= test - 1e-9
        assert (found.p < 0.05) == (found.verdict == "REGRESSED")
        expected = exact_bounds(worse, 0, n=100, level=0.05)
        assert found.low == expected.low


SKEWED = (0.56, -0.28, 0.21, -0.17, 0.11, -0.02, 0.12, 0.41, 0.24, 0.32, 0.41, -0.08)
"""What twelve cases lost: Student's p is 0.0497, and that of their signs 0.0530."""


def signs(lost: Sequence[float], margin: float) -> float:
    """Return the p of all ways to give them signs, by SciPy."""
    found = stats.permutation_test(
        ([each - margin for each in lost],),
        lambda each: float(sum(each)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=2**17,
    )
    return float(found.pvalue)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("margin", [0.02, 0.05])
def test_of_few_data_the_signs_must_prove_a_loss_too(copies: int, margin: float) -> None:
    """The oracle: SciPy's permutation test of signs, all 2^12 of them; of more data it is not asked."""
    lost = [each for each in SKEWED for _ in range(copies)]
    found = compared([0.6] * len(lost), [0.6 - each for each in lost], margin=margin)
    student = float(stats.ttest_1samp(lost, margin, alternative="greater").pvalue)
    assert found.n == 12 * copies
    if copies == 1:
        assert signs(lost, margin) > student
        assert (found.p, found.verdict) == (signs(lost, margin), "INCONCLUSIVE")
        assert found.low == min(margin, found.low or 0.0)
        assert (margin == 0.02) == (student < 0.05)
    else:
        assert found.p == pytest.approx(student)
        assert found.verdict == "REGRESSED"


def test_of_few_clusters_the_signs_are_theirs() -> None:
    """Twelve documents of three questions are twelve data."""
    clusters = [f"document-{at}" for at in range(12) for _ in range(3)]
    lost = [each + by for each in SKEWED for by in (-0.01, 0.0, 0.01)]
    found = compare_scores(pair([0.6] * 36, [0.6 - each for each in lost], cluster=clusters))
    assert found is not None
    assert (found.n, found.unit, found.verdict) == (12, "cluster", "INCONCLUSIVE")
    assert found.p == pytest.approx(signs(SKEWED, 0.02))


def test_few_scores_that_few_differ_prove_nothing() -> None:
    """A tenth of four is no proof though Student's t finds it: other cases may not lose it."""
    found = compared([0.9] * 4, [0.6, 0.58, 0.61, 0.59])
    assert (found.verdict, found.lean) == ("INCONCLUSIVE", "worse")


@pytest.mark.parametrize("n", [14, 40, pytest.param(150, marks=pytest.mark.slow)])
def test_the_whole_scores_that_graded_ones_would_find_lost_are_proved_about_so_often(n: int) -> None:
    """Simulated: scores that jitter, of which that share is lost wholly."""
    jitter = [0.01 * (index % 3) for index in range(n)]
    loss = compared([1.0] * n, [1.0 - each for each in jitter]).detectable
    assert loss is not None
    random = np.random.default_rng(n)
    drawn = random.random((150, n)) < loss
    proved = [
        compared([1.0] * n, [0.0 if is_lost else 1.0 - by for is_lost, by in zip(row, jitter, strict=True)])
        for row in drawn.tolist()
    ]
    assert 0.7 <= sum(each.verdict == "REGRESSED" for each in proved) / len(proved) <= 0.93
