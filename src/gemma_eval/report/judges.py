"""What a run shows of its judges, in sentences: whom they judge, what they could not, how far they agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from gemma_eval.records import Outcome, Report, Score
from gemma_eval.report import numbers
from gemma_eval.stats import judged
from gemma_eval.stats.agreement import cohen_kappa

RELIABLE = 0.667
"""The alpha from which tentative conclusions are drawn.

Source: Krippendorff 2004, Content Analysis, 2nd ed., section 11.4.2.
"""


def told(report: Report) -> Iterator[tuple[str, str, Literal["open", "bad"]]]:
    """Yield what is known of the judges as topics, sentences and tones; nothing where none was asked."""
    yield from (("Judge", text, "bad") for text in own_judges(report))
    about = about_judges(report)
    if about is not None:
        yield "Judges", about, "open"


def own_judges(report: Report) -> tuple[str, ...]:
    """Say of each judge that is the model which it judges, by name or by weights, that it is."""
    pairs = {
        (spec.name, outcome.trial.cell.model.name): None
        for outcome in report.outcomes
        for score in outcome.scores
        for spec in outcome.trial.cell.judges
        if any(vote.judge == spec.name for vote in score.votes)
    }
    said = [_own(judge, model, report) for judge, model in pairs]
    return tuple(text for text in said if text)


def about_judges(report: Report) -> str | None:
    """Say what the judges could not score and how far they agree, `None` when none was asked."""
    outcomes = [each for each in report.outcomes if each.failure is None]
    if not judged.has_judges(outcomes):
        return None
    parts = [_scored(outcomes), _flips(outcomes), _jury(outcomes), *_beside(outcomes)]
    text = "; ".join(part for part in parts if part)
    return f"{text}."


def _own(judge: str, model: str, report: Report) -> str:
    if judge == model:
        return f"{judge} judges its own answers, and judges prefer their own."
    hashes = [engine.model_sha256 for name in (judge, model) if (engine := report.run.engines.get(name))]
    if len(hashes) == 2 and hashes[0] is not None and hashes[0] == hashes[1]:
        return f"{judge} judges the answers of {model}, which has the same weights: judges prefer their own."
    return ""


def _scored(outcomes: Sequence[Outcome]) -> str:
    asked = [score for outcome in outcomes for score in outcome.scores if score.votes]
    answers = sum(any(score.votes for score in outcome.scores) for outcome in outcomes)
    silent = sum(score.value is None for score in asked)
    unscored = f"{numbers.count(silent)} of them without a verdict" if silent else "all with a verdict"
    count = "1 answer" if answers == 1 else f"{numbers.count(answers)} answers"
    count += f" for {numbers.count(len(asked))} scores" if len(asked) > answers else ""
    lost = sum(vote.value is None for score in asked if score.value is not None for vote in score.votes)
    rest = f", {numbers.count(lost)} of the votes on others missing" if lost else ""
    return f"{_who(asked)} judged {count}, {unscored}{rest}"


def _who(asked: Sequence[Score]) -> str:
    """Name the judge, or count those of a jury; judges who are not all asked of each score are none."""
    juries = {frozenset(vote.judge for vote in score.votes) for score in asked}
    judges = frozenset[str]().union(*juries)
    if len(judges) == 1:
        return next(iter(judges))
    return f"a jury of {len(judges)}" if len(juries) == 1 else f"{len(judges)} judges"


def _flips(outcomes: Sequence[Outcome]) -> str:
    shares = judged.flip_shares(outcomes)
    if not shares:
        return ""
    return f"the order of two answers decided {numbers.share(sum(shares) / len(shares))} of the comparisons"


def _jury(outcomes: Sequence[Outcome]) -> str:
    alpha, n = judged.alpha(outcomes)
    if not n:
        return ""
    if alpha is None:
        return "the jury always said the same one thing, so nothing tells how far it agrees"
    enough = "enough" if alpha >= RELIABLE else "not enough"
    return f"alpha of the jury is {alpha:.2f}, {enough} to conclude from ({RELIABLE:g})"


def _beside(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield how far verdicts agree with checks of the same answers that ask nobody."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for outcome in outcomes:
        verdicts = [score for score in outcome.scores if score.votes and score.scorer == "judge"]
        for other in outcome.scores:
            if not other.votes and verdicts and _is_binary(other) and _is_binary(verdicts[0]):
                pairs.setdefault(other.scorer, []).append((verdicts[0].value or 0.0, other.value or 0.0))
    for scorer, known in pairs.items():
        kappa = cohen_kappa([one for one, _ in known], [other for _, other in known])
        if kappa is None:
            continue
        agreed = round(kappa.agreement * kappa.n)
        beyond = "" if kappa.value is None else f" (kappa {kappa.value:.2f})"
        of = f"{numbers.count(agreed)} of {numbers.count(kappa.n)}"
        yield f"it agrees with the check {scorer} on {of}{beyond}"


def _is_binary(score: Score) -> bool:
    return score.value in (0.0, 1.0)
