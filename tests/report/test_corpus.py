"""Figures of a whole corpus: held against sacrebleu and the definition of perplexity, from stored counts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from gemma_eval.records import Check, Outcome, Report, Score
from gemma_eval.report import numbers
from gemma_eval.report.corpus import Corpus, corpus
from gemma_eval.report.groups import groups_of
from gemma_eval.report.markdown import Markdown
from gemma_eval.run import make_report
from gemma_eval.scoring.translation import bleu, chrf
from tests.examples import a_case, a_cell, a_generation, a_run, an_outcome
from tests.required import module

ANSWERS = ("the cat sat on a mat today", "it rained in Oslo all day long", "no")
REFERENCES = ("the cat sat on the mat today", "in Oslo it rained the whole day long", "yes it is so")


def outcomes(scores: Sequence[Score]) -> list[Outcome]:
    """Return an outcome of a case of its own for each score."""
    example = an_outcome()
    return [
        replace(
            example,
            trial=replace(example.trial, cell=replace(a_cell(), case=a_case(f"case-{number}"))),
            scores=(score,),
        )
        for number, score in enumerate(scores)
    ]


def report(scores: Sequence[Score]) -> Report:
    """Return a report of such outcomes."""
    return make_report(a_run(), outcomes(scores))


def rows(found: Corpus | None) -> dict[str, tuple[str, ...]]:
    """Return the values by name."""
    return {} if found is None else {row.name: row.values for row in found.rows}


def of(made: Report) -> dict[str, tuple[str, ...]]:
    """Return the values of a report by name."""
    return rows(corpus(made, groups_of(made)))


def test_bleu_and_chrf_are_those_of_sacrebleu_over_all_texts() -> None:
    """And not the means of those per text, which are others."""
    sacrebleu = module("sacrebleu", extra="text-metrics")
    for name, factory, whole in (
        ("BLEU", bleu, sacrebleu.corpus_bleu),
        ("chrF", chrf, sacrebleu.corpus_chrf),
    ):
        scores = [
            factory({"reference": reference})(a_case(), a_generation(answer))
            for answer, reference in zip(ANSWERS, REFERENCES, strict=True)
        ]
        (value,) = of(report(scores))[name]
        assert float(value) == pytest.approx(whole(list(ANSWERS), [list(REFERENCES)]).score, rel=0.01)
        mean = sum(100 * (score.value or 0) for score in scores) / len(scores)
        assert float(value) != pytest.approx(mean, rel=0.01)


def read(log_likelihood: float, *, tokens: int, n_bytes: int, words: int) -> Score:
    """Return the score of a text that was read."""
    return Score(
        scorer="likelihood",
        value=0.5,
        passed=None,
        figures={
            "log_likelihood": log_likelihood,
            "n_tokens": tokens,
            "n_bytes": n_bytes,
            "n_words": words,
        },
    )


def test_perplexities_are_of_all_tokens_words_and_bytes_together() -> None:
    """The second text has three times as many tokens, and weighs as much."""
    found = of(report([read(-2.0, tokens=2, n_bytes=8, words=1), read(-9.0, tokens=6, n_bytes=30, words=4)]))
    assert float(found["perplexity of a token"][0]) == pytest.approx(math.exp(11 / 8), rel=0.01)
    assert float(found["perplexity of a word"][0]) == pytest.approx(math.exp(11 / 5), rel=0.01)
    assert float(found["perplexity of a byte"][0]) == pytest.approx(math.exp(11 / 38), rel=0.01)
    assert float(found["bits per byte"][0]) == pytest.approx(11 / 38 / math.log(2), rel=0.01)


def test_what_was_counted_in_two_ways_is_not_added_up() -> None:
    """chrF and chrF++ have other counts."""
    one = chrf({"reference": "a b"})(a_case(), a_generation("a c"))
    other = chrf({"reference": "a b", "word_order": 2})(a_case(), a_generation("a c"))
    assert of(report([one, other]))["chrF"] == (numbers.MISSING,)


def test_a_text_that_two_checks_read_counts_once() -> None:
    """`likelihood` and `bits_per_byte` leave the same counts, and not every case has both."""
    long, short = read(-30.0, tokens=10, n_bytes=50, words=9), read(-2.0, tokens=2, n_bytes=8, words=1)
    first, second = outcomes([long, short])
    twice = replace(first, scores=(long, replace(long, scorer="bits_per_byte")))
    found = of(make_report(a_run(), [twice, second]))
    assert float(found["perplexity of a token"][0]) == pytest.approx(math.exp(32 / 12), rel=0.01)


def test_words_that_were_split_in_two_ways_are_not_added_up() -> None:
    """BLEU of words and BLEU of characters leave figures of the same names."""
    module("sacrebleu", extra="text-metrics")
    made = []
    for number, tokenize in enumerate(("13a", "char")):
        check = Check(scorer="bleu", options={"reference": f"a b {number}", "tokenize": tokenize})
        (outcome,) = outcomes([bleu(check.options)(a_case(), a_generation("a b"))])
        cell = replace(a_cell(), case=replace(a_case(f"case-{number}"), checks=(check,)))
        made.append(replace(outcome, trial=replace(outcome.trial, cell=cell)))
    assert of(make_report(a_run(), made))["BLEU"] == (numbers.MISSING,)
    assert of(make_report(a_run(), made[:1]))["BLEU"] != (numbers.MISSING,)


def test_scorers_without_counts_make_no_corpus() -> None:
    """Nor does what was not scored."""
    assert of(report([Score(scorer="contains", value=1.0, passed=None)])) == {}
    assert of(report([Score(scorer="bleu", value=None, passed=None, unscored="why")])) == {}


def test_markdown_shows_it_as_a_table() -> None:
    """A blank line within would make text of it."""
    page = (
        MarkdownIt()
        .enable("table")
        .render(Markdown().render(report([read(-2.0, tokens=2, n_bytes=8, words=1)])))
    )
    assert re.search(r"<td[^>]*>bits per byte</td>\s*<td[^>]*>0\.36", page)
