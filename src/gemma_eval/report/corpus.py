"""What is of a whole corpus and no mean over its cases: BLEU, chrF, perplexity and bits per byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Group, Options, Outcome, Report
from gemma_eval.report import numbers
from gemma_eval.report.groups import Groups, group_of
from gemma_eval.stats.corpus import bits_per_byte, weighted_perplexity
from gemma_eval.stats.translation import corpus_bleu, corpus_chrf

Figures = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What was counted in one answer, and by which settings: counts of different ones do not add up."""

    figures: Figures
    settings: Options


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusRow:
    """One figure of the corpus, with its value for each group, a dash where there is none."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """The figures of the corpus, a column for each group."""

    columns: tuple[str, ...]
    rows: tuple[CorpusRow, ...]
    note: str


def corpus(report: Report, groups: Groups) -> Corpus | None:
    """Return the figures of each group's corpus; `None` where no scorer has left counts that add up."""
    counts = _counts(report.outcomes)
    kinds = {kind for kind, _ in counts}
    shown = [group for group in groups.order if any((kind, group) in counts for kind in kinds)]
    rows = tuple(
        CorpusRow(name=name, values=tuple(_value(counts.get((kind, group), []), of) for group in shown))
        for kind, name, of in _ROWS
        if kind in kinds
    )
    if not rows:
        return None
    note = "Counts of all answers added up, so that a long answer weighs more than in a mean over cases. "
    note += "BLEU and chrF go to 100."
    return Corpus(columns=tuple(groups.label(group) for group in shown), rows=rows, note=note)


def _counts(outcomes: Sequence[Outcome]) -> dict[tuple[str, Group], list[Counted]]:
    found: dict[tuple[str, Group], list[Counted]] = {}
    for outcome in outcomes:
        for kind, counted in _of_answer(outcome).items():
            found.setdefault((kind, group_of(outcome)), []).append(counted)
    return found


def _of_answer(outcome: Outcome) -> dict[str, Counted]:
    """Return what was counted in an answer by the first check of each kind: no text counts twice."""
    checks = outcome.trial.cell.case.checks
    found: dict[str, Counted] = {}
    for place, score in enumerate(outcome.scores):
        if score.figures and score.scorer in _SCORERS:
            options = checks[place].options if place < len(checks) else {}
            settings = {name: value for name, value in options.items() if name != "reference"}
            found.setdefault(_SCORERS[score.scorer], Counted(figures=score.figures, settings=settings))
    return found


def _value(counts: Sequence[Counted], of: Callable[[Sequence[Figures]], float | None]) -> str:
    value = of([each.figures for each in counts]) if counts and _alike(counts) else None
    return numbers.MISSING if value is None else numbers.number(value)


def _alike(counts: Sequence[Counted]) -> bool:
    """Whether all were counted in the same way, as chrF with and without words is not."""
    one = counts[0]
    return all(each.settings == one.settings and each.figures.keys() == one.figures.keys() for each in counts)


def _percent(of: Callable[[Sequence[Figures]], float | None]) -> Callable[[Sequence[Figures]], float | None]:
    def hundredfold(figures: Sequence[Figures]) -> float | None:
        value = of(figures)
        return None if value is None else 100 * value

    return hundredfold


def _over(
    of: Callable[[Sequence[float], Sequence[float]], float | None], size: str
) -> Callable[[Sequence[Figures]], float | None]:
    return lambda figures: of([each["log_likelihood"] for each in figures], [each[size] for each in figures])


_SCORERS = {"bleu": "bleu", "chrf": "chrf", "likelihood": "read", "bits_per_byte": "read"}
"""Scorers that leave counts; the last two leave the same ones, of the texts that were read."""

_ROWS: Sequence[tuple[str, str, Callable[[Sequence[Figures]], float | None]]] = (
    ("bleu", "BLEU", _percent(corpus_bleu)),
    ("chrf", "chrF", _percent(corpus_chrf)),
    ("read", "perplexity of a token", _over(weighted_perplexity, "n_tokens")),
    ("read", "perplexity of a word", _over(weighted_perplexity, "n_words")),
    ("read", "perplexity of a byte", _over(weighted_perplexity, "n_bytes")),
    ("read", "bits per byte", _over(bits_per_byte, "n_bytes")),
)
