"""A report says whom judges judge, what they could not, and how far they agree among each other."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.records import EngineInfo, ModelSpec, Outcome, Report, Score, Vote
from gemma_eval.report.effect_rows import effect_tables
from gemma_eval.report.findings import findings
from gemma_eval.report.groups import groups_of
from gemma_eval.report.judges import about_judges, own_judges
from gemma_eval.run import make_report
from tests.examples import a_run, an_outcome


def judged(case: str, *votes: float | None, check: float | None = None, **names: str) -> Outcome:
    """Return an outcome that judges voted on, and a check beside them."""
    outcome = an_outcome(case, **names)  # type: ignore[arg-type]
    given = tuple(
        Vote(judge=f"j{n}", value=value, reason=None if value is not None else "prose")
        for n, value in enumerate(votes)
    )
    known = [value for value in votes if value is not None]
    value = sum(known) / len(known) if known else None
    scores = [Score(scorer="judge", value=value, passed=None, votes=given)]
    if check is not None:
        scores.append(Score(scorer="contains", value=check, passed=None, weight=0.0))
    specs = tuple(ModelSpec(name=vote.judge, backend="scripted", location="-") for vote in given)
    cell = replace(outcome.trial.cell, judges=specs)
    return replace(outcome, trial=replace(outcome.trial, cell=cell), scores=tuple(scores))


def a_report(*outcomes: Outcome, **engines: EngineInfo) -> Report:
    """Return a report of them."""
    run = a_run(planned=len(outcomes))
    return make_report(replace(run, engines={**run.engines, **engines}), outcomes)


def called(outcome: Outcome, model: str) -> Outcome:
    """Return the outcome of a model of that name."""
    cell = outcome.trial.cell
    model_spec = replace(cell.model, name=model)
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, model=model_spec)))


def engine(sha256: str | None) -> EngineInfo:
    """Return an engine of these weights."""
    return EngineInfo(
        engine="fake", version="1", model_sha256=sha256, parameters=None, context_tokens=None, threads=None
    )


def test_a_run_without_judges_says_nothing_of_them() -> None:
    """Neither in a sentence nor in a finding."""
    report = a_report(an_outcome())
    assert about_judges(report) is None
    assert own_judges(report) == ()
    assert not any("udge" in each.topic for each in findings(report, groups_of(report)))


def test_a_model_that_judges_itself_is_warned_about_once() -> None:
    """By its name, whatever number of answers."""
    report = a_report(*(called(judged(case, 1.0), "j0") for case in "abc"))
    assert own_judges(report) == ("j0 judges its own answers, and judges prefer their own.",)
    found = [each for each in findings(report, groups_of(report)) if each.topic == "Judge"]
    assert [each.tone for each in found] == ["bad"]


def test_a_judge_of_the_same_weights_is_warned_about_too() -> None:
    """And one of other or unknown weights is not."""
    outcome = called(judged("a", 1.0), "subject")
    same = a_report(outcome, j0=engine("ab"), subject=engine("ab"))
    assert own_judges(same) == (
        "j0 judges the answers of subject, which has the same weights: judges prefer their own.",
    )
    assert own_judges(a_report(outcome, j0=engine("ab"), subject=engine("cd"))) == ()
    assert own_judges(a_report(outcome, j0=engine(None), subject=engine(None))) == ()


def test_the_agreement_with_a_check_that_asks_nobody_is_told() -> None:
    """Three of four, kappa 0.5."""
    outcomes = [
        judged(case, vote, check=check)
        for case, vote, check in (("a", 1.0, 1.0), ("b", 0.0, 0.0), ("c", 1.0, 1.0), ("d", 0.0, 1.0))
    ]
    text = about_judges(a_report(*outcomes))
    assert text == (
        "j0 judged 4 answers, all with a verdict; it agrees with the check contains on 3 of 4 (kappa 0.50)."
    )


def test_what_judges_could_not_score_is_counted() -> None:
    """An answer without any verdict, and votes that are missing on others."""
    text = about_judges(a_report(judged("a", None, None), judged("b", 1.0, None), judged("c", 0.0, 0.0)))
    assert text is not None
    assert (
        "a jury of 2 judged 3 answers, 1 of them without a verdict, 1 of the votes on others missing" in text
    )


def test_an_answer_that_several_checks_judge_counts_once() -> None:
    """And judges who are not asked together are no jury."""
    outcome = judged("a", 1.0, 1.0)
    alone = Score(scorer="judge", value=None, passed=None, votes=(Vote(judge="j2", value=None, reason="-"),))
    text = about_judges(a_report(replace(outcome, scores=(*outcome.scores, alone)), judged("b", 0.0, 0.0)))
    assert str(text).startswith("3 judges judged 2 answers for 3 scores, 1 of them without a verdict")


def test_the_alpha_of_a_jury_is_told_with_what_is_enough() -> None:
    """Two thirds, and no more than that."""
    agreed = a_report(judged("a", 1.0, 1.0), judged("b", 0.0, 0.0))
    assert "alpha of the jury is 1.00, enough to conclude from (0.667)" in str(about_judges(agreed))
    torn = a_report(judged("a", 1.0, 0.0), judged("b", 0.0, 1.0))
    assert "not enough to conclude from" in str(about_judges(torn))


def test_the_order_that_decides_is_told() -> None:
    """Of a comparison whose two orders disagree."""
    outcome = judged("a", 0.5)
    votes = (Vote(judge="j0", value=1.0), Vote(judge="j0", value=0.0, swapped=True))
    pair = replace(outcome, scores=(Score(scorer="judge_pairwise", value=0.5, passed=None, votes=votes),))
    assert "the order of two answers decided 100 % of the comparisons" in str(about_judges(a_report(pair)))


def test_the_ledger_has_a_column_of_judges_where_there_was_a_jury() -> None:
    """How far the score of other judges may lie from this; without a jury there is none."""

    def tables(*votes: tuple[float, ...]) -> list[str | None]:
        outcomes = [
            judged(f"case-{n}", *row, profile=profile)
            for profile in ("greedy", "hot")
            for n, row in enumerate(votes)
        ]
        outcomes = [_asked_with(each, ("greedy", "hot")) for each in outcomes]
        return [row.of_judges for each in effect_tables(a_report(*outcomes)) for row in each.ledger]

    jury = tables((1.0, 0.5), (0.5, 0.0), (1.0, 0.5), (0.5, 0.0))
    assert jury == ["0.250", "0.250"]
    assert tables((1.0,), (0.0,), (1.0,), (0.0,)) == [None, None]


def _asked_with(outcome: Outcome, profiles: tuple[str, ...]) -> Outcome:
    cell = outcome.trial.cell
    case = replace(cell.case, profiles=profiles)
    return replace(outcome, trial=replace(outcome.trial, cell=replace(cell, case=case)))
