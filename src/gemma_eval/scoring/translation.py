"""BLEU and chrF: the n-grams of words or characters that an answer shares with references.

The value of an answer is that of a corpus of one; its `figures` are the counts, whose sums over many answers
give the value of the corpus, see `stats.translation`.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, best, scorer_of
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.stats.translation import BLEU_ORDER, CHRF_ORDER, corpus_chrf

SentenceBleu = Callable[[str, Sequence[str]], Finding]


def bleu(options: Options) -> Scorer:
    """BLEU of the answer against `reference`, one text or several, by sacrebleu.

    Words are split by `tokenize`: *13a*, *intl*, *char*, *zh* or *none*. Orders beyond the answer's length
    are left out, as sentence BLEU needs it. Needs the extra `text-metrics`.
    Source: Papineni et al. 2002; Post 2018, arXiv 1804.08771.
    """
    given = CheckOptions("bleu", options, known=("reference", "tokenize", "ignore_case"))
    references = given.texts("reference")
    tokenize = given.choice("tokenize", ("13a", "intl", "char", "zh", "none"))
    score = sentence_bleu("bleu", tokenize=tokenize, ignore_case=given.flag("ignore_case"))
    return scorer_of("bleu", lambda text: score(text, references))


def chrf(options: Options) -> Scorer:
    """chrF of the answer against `reference`, in characters 1 to 6 long; of several the best one counts.

    `word_order` adds words and pairs of words: 2 is chrF++. Space does not count.
    Source: Popović 2015, doi 10.18653/v1/W15-3049, and 2017, doi 10.18653/v1/W17-4770.
    """
    given = CheckOptions("chrf", options, known=("reference", "word_order", "ignore_case"))
    word_order = given.whole("word_order", default=0) or 0
    fold = str.lower if given.flag("ignore_case") else str
    references = [fold(each) for each in given.texts("reference")]

    def find(text: str) -> Finding:
        answer = fold(text)
        counted = [chrf_counts(answer, each, word_order=word_order) for each in references]
        why = f"chrF{'+' * min(word_order, 2)}, beta 2, characters to {CHRF_ORDER}, words to {word_order}"
        return best(
            [
                Finding(value=corpus_chrf([each]), answer=text.strip(), why=why, figures=each)
                for each in counted
            ]
        )

    return scorer_of("chrf", find)


def sentence_bleu(scorer: str, *, tokenize: str = "13a", ignore_case: bool = False) -> SentenceBleu:
    """Return what gives a text its BLEU against references. Raises UsageError without the extra."""
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise UsageError(
            f'{scorer}: needs an optional package: pip install "gemma_eval[text-metrics]"'
        ) from error
    metric = BLEU(lowercase=ignore_case, tokenize=tokenize, effective_order=True)

    def score(text: str, references: Sequence[str]) -> Finding:
        found = metric.sentence_score(text, list(references))
        signature = metric.get_signature().format()
        return Finding(
            value=min(1.0, found.score / 100),
            answer=text.strip(),
            why=signature,
            figures={
                "answer_length": found.sys_len,
                "reference_length": found.ref_len,
                **{f"shared_{n + 1}": found.counts[n] for n in range(BLEU_ORDER)},
                **{f"answer_{n + 1}": found.totals[n] for n in range(BLEU_ORDER)},
            },
        )

    return score


def chrf_counts(answer: str, reference: str, *, word_order: int = 0) -> Mapping[str, float]:
    """Return the n-grams that answer and reference have and share, per order: `answer_1` … `shared_w2`."""
    left, right = ("".join(text.split()) for text in (answer, reference))
    counts: dict[str, float] = {}
    for n in range(1, CHRF_ORDER + 1):
        counts |= _counted(str(n), _pieces(left, n), Counter(_pieces(right, n)))
    words = [_words(text) for text in (answer, reference)] if word_order else []
    for n in range(1, word_order + 1):
        found, wanted = (list(zip(*(each[i:] for i in range(n)))) for each in words)  # noqa: B905
        counts |= _counted(f"w{n}", found, Counter(wanted))
    return counts


def _pieces(text: str, n: int) -> list[str]:
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def _counted(order: str, found: Sequence[object], wanted: Counter[object]) -> dict[str, float]:
    """Count what is found; where nothing is wanted of an order, nothing found of it counts."""
    shared = Counter(piece for piece in found if piece in wanted) & wanted
    return {
        f"answer_{order}": len(found) if wanted else 0,
        f"reference_{order}": wanted.total(),
        f"shared_{order}": shared.total(),
    }


def _words(text: str) -> list[str]:
    """Return the words, a sign of punctuation split off where one ends, or else where it begins."""
    words: list[str] = []
    for word in text.split():
        if len(word) > 1 and word[-1] in string.punctuation:
            words += (word[:-1], word[-1])
        elif len(word) > 1 and word[0] in string.punctuation:
            words += (word[0], word[1:])
        else:
            words.append(word)
    return words
