"""What is of a whole corpus and no mean over its cases: BLEU, chrF, perplexity and bits per byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Group, Outcome, Report
from gemma_eval.report import numbers
from gemma_eval.report.groups import Groups, group_of
from gemma_eval.stats.corpus import bits_per_byte, weighted_perplexity
from gemma_eval.stats.translation import corpus_bleu, corpus_chrf

Figures = Mapping[str, float]


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
    figures = _figures(report.outcomes)
    scorers = {scorer for scorer, _ in figures}
    shown = [group for group in groups.order if any((scorer, group) in figures for scorer in scorers)]
    rows = tuple(
        CorpusRow(name=name, values=tuple(_value(figures.get((scorer, group), []), of) for group in shown))
        for scorer, name, of in _ROWS
        if scorer in scorers
    )
    if not rows:
        return None
    note = "Counts of all answers added up, so that a long answer weighs more than in a mean over cases. "
    note += "BLEU and chrF go to 100."
    return Corpus(columns=tuple(groups.label(group) for group in shown), rows=rows, note=note)


def _figures(outcomes: Sequence[Outcome]) -> dict[tuple[str, Group], list[Figures]]:
    found: dict[tuple[str, Group], list[Figures]] = {}
    for outcome in outcomes:
        for score in outcome.scores:
            if score.figures and score.scorer in _SCORERS:
                found.setdefault((_SCORERS[score.scorer], group_of(outcome)), []).append(score.figures)
    return found


def _value(figures: Sequence[Figures], of: Callable[[Sequence[Figures]], float | None]) -> str:
    value = of(figures) if figures and _alike(figures) else None
    return numbers.MISSING if value is None else numbers.number(value)


def _alike(figures: Sequence[Figures]) -> bool:
    """Whether all were counted in the same way, as chrF with and without words is not."""
    return len({frozenset(each) for each in figures}) == 1


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
    ("read", "bits per byte", _over(bits_per_byte, "n_bytes")),
)
