"""BLEU and chrF are those of sacrebleu, of one answer and of many by the sums of their counts."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from gemma_eval.errors import UsageError
from gemma_eval.scoring.translation import bleu
from gemma_eval.stats.translation import corpus_bleu, corpus_chrf
from tests.scoring.answers import score, value

Corpus = Callable[[Sequence[str], Sequence[Sequence[str]]], float]

# Three answers with two references each, and their BLEU: mjpost/sacrebleu:test/test_bleu.py and README.md at
# f615c728, Apache-2.0.
ANSWERS = ("The dog bit the man.", "It wasn't surprising.", "The man had just bitten him.")
REFERENCES = (
    ("The dog bit the man.", "The dog had bit the man."),
    ("It was not unexpected.", "No one was surprised."),
    ("The man bit him first.", "The man had bitten the dog."),
)
PUBLISHED = {"13a": 48.530827, "none": 49.1919566, "intl": 43.91623493}
_WORDS = ("the", "The", "cat", "cat.", "sat", "sat,", "(on)", "mat", "3.5", "é", "-")
_TEXT = st.lists(st.sampled_from(_WORDS), max_size=9).map(" ".join)
_PAIRS = st.lists(
    st.tuples(_TEXT, st.lists(_TEXT.filter(bool), min_size=2, max_size=2)), min_size=1, max_size=4
)


def streams(references: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the first reference of each answer, then the second: the order that sacrebleu wants."""
    return [list(each) for each in zip(*references, strict=True)]


def our_corpus(
    scorer: str, answers: Sequence[str], references: Sequence[Sequence[str]], **options: object
) -> float:
    """Return the value of all answers from the figures of each."""
    join = corpus_bleu if scorer == "bleu" else corpus_chrf
    found = [
        score(scorer, answer, reference=list(each), **options).figures
        for answer, each in zip(answers, references, strict=True)
    ]
    joined = join(found)
    assert joined is not None
    return joined


@given(_TEXT, st.lists(_TEXT.filter(bool), min_size=1, max_size=3), st.booleans())
@settings(max_examples=40)
def test_one_answer_has_the_value_of_sacrebleu(answer: str, references: list[str], ignore_case: bool) -> None:
    """BLEU with the orders that the answer has, chrF and chrF++."""
    options = {"reference": references, "ignore_case": ignore_case}
    known = BLEU(effective_order=True, lowercase=ignore_case).sentence_score(answer, references).score
    assert 100 * value("bleu", answer, **options) == pytest.approx(min(known, 100))
    for word_order in (0, 2):
        chrf = CHRF(word_order=word_order, lowercase=ignore_case).sentence_score(answer, references).score
        assert 100 * value("chrf", answer, **options, word_order=word_order) == pytest.approx(chrf)


@given(_PAIRS)
@settings(max_examples=40)
def test_many_answers_have_the_value_of_sacrebleus_corpus(pairs: list[tuple[str, list[str]]]) -> None:
    """From sums, so that it does not matter which came first."""
    answers, references = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    known = BLEU(force=True).corpus_score(answers, streams(references)).score
    assert 100 * our_corpus("bleu", answers, references) == pytest.approx(known)
    assert our_corpus("bleu", answers[::-1], references[::-1]) == our_corpus("bleu", answers, references)
    for word_order in (0, 2):
        chrf = CHRF(word_order=word_order).corpus_score(answers, streams(references)).score
        assert 100 * our_corpus("chrf", answers, references, word_order=word_order) == pytest.approx(chrf)


def test_the_mean_of_sentences_is_not_the_corpus() -> None:
    """The planted error, and that of figures which were left out."""
    answers = ("the cat sat on the mat", "a dog sat here now")
    references = (("the cat sat on a mat",), ("a dog sat there",))
    known = BLEU(force=True).corpus_score(list(answers), streams(references)).score / 100
    means = [
        value("bleu", each, reference=list(refs)) for each, refs in zip(answers, references, strict=True)
    ]
    assert our_corpus("bleu", answers, references) == pytest.approx(known)
    assert sum(means) / 2 != pytest.approx(known)
    assert our_corpus("bleu", answers[:1], references[:1]) != pytest.approx(known)


@pytest.mark.parametrize(("answer", "reference", "smoothed"), [("aa", "ab", 8.3333), ("a b c", "abc", 50.0)])
def test_chrf_is_not_smoothed_as_it_was_before_sacrebleu_2(
    answer: str, reference: str, smoothed: float
) -> None:
    """mjpost/sacrebleu:test/test_chrf.py at f615c728: orders that a text is too short for counted then."""
    assert CHRF(eps_smoothing=True).sentence_score(answer, [reference]).score == pytest.approx(
        smoothed, abs=1e-3
    )
    assert 100 * value("chrf", answer, reference=reference) > smoothed


def test_the_corpus_of_the_published_example() -> None:
    """Its BLEU with three ways of splitting words; each other one is a planted error."""
    for tokenize, published in PUBLISHED.items():
        found = 100 * our_corpus("bleu", ANSWERS, REFERENCES, tokenize=tokenize)
        assert found == pytest.approx(published, abs=1e-5), tokenize
        assert [name for name, other in PUBLISHED.items() if found == pytest.approx(other)] == [tokenize]


def test_no_answer_has_no_value() -> None:
    """And one without a word has 0."""
    assert corpus_bleu([]) is None
    assert corpus_chrf([]) is None
    assert value("bleu", "", reference="a b") == 0.0
    assert value("chrf", "", reference="a b") == 0.0


def test_the_settings_are_told_in_sacrebleus_own_words() -> None:
    """A number of BLEU says nothing without them."""
    assert score("bleu", "a b", reference="a c").explanation.startswith("nrefs:1|case:mixed|eff:yes|tok:13a|")
    assert "tok:char" in score("bleu", "a b", reference="a c", tokenize="char").explanation
    assert score("chrf", "a", reference="b", word_order=2).explanation.startswith("chrF++, beta 2")


def test_bleu_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the check is built."""
    real = builtins.__import__

    def absent(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("sacrebleu"):
            raise ImportError(name)
        return cast(Callable[..., object], real)(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(
        UsageError, match=r'bleu: needs an optional package: pip install "gemma_eval\[text-metrics\]'
    ):
        bleu({"reference": "a"})
