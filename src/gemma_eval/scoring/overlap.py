"""Scorers that hold the words of an answer to those of a reference, as SQuAD and lm-evaluation-harness do."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable

from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, best, quoted, scorer_of
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.patterns import Pattern


def token_f1(options: Options) -> Scorer:
    """F1 of the words shared with `reference`; of several references the best one counts.

    Words are compared as SQuAD does: lower case, without ASCII punctuation and without a, an, the.
    Source: Rajpurkar et al. 2016, arXiv 1606.05250 (evaluate-v1.1.py; two empty answers are equal as in 2.0).
    """
    given = CheckOptions("token_f1", options, known=("reference",))
    references = given.texts("reference")

    def find(text: str) -> Finding:
        return best([_nearness(overlap_f1(text, reference), text, reference) for reference in references])

    return scorer_of("token_f1", find)


def exact_match(options: Options) -> Scorer:
    """The answer is `reference`, or one of several, after both were made alike.

    With `normalise` *squad*, the default, they have the same words in SQuAD's sense; a reference without a
    word in that sense, as `A`, is its lower-case text. With *none* they are compared as they stand, but for
    what the options of lm-evaluation-harness take away, in its order: the matches of `regexes_to_ignore`,
    then case, punctuation and digits by `ignore_case`, `ignore_punctuation` and `ignore_numbers`.
    Source: Rajpurkar et al. 2016 (evaluate-v1.1.py); lm_eval/api/metrics.py.
    """
    known = (
        "reference",
        "normalise",
        "ignore_case",
        "ignore_punctuation",
        "ignore_numbers",
        "regexes_to_ignore",
    )
    given = CheckOptions("exact_match", options, known=known)
    references = given.texts("reference")
    alike = _made_alike(given)
    wanted = {alike(reference) for reference in references}

    def find(text: str) -> Finding:
        is_right = alike(text) in wanted
        why = "" if is_right else f"expected {' or '.join(quoted(each) for each in references)}"
        return Finding(value=float(is_right), answer=text.strip(), why=why)

    return scorer_of("exact_match", find)


def fuzzy(options: Options) -> Scorer:
    """The words of the answer hold those of `reference`, or of one of several, or are held by them.

    Words are SQuAD's, and `othello` holds `hello`; of no words are held none.
    Source: openai/evals:evals/elsuite/utils.py, `fuzzy_match`.
    """
    references = CheckOptions("fuzzy", options, known=("reference",)).texts("reference")
    wanted = [" ".join(words(reference)) for reference in references]

    def find(text: str) -> Finding:
        found = " ".join(words(text))
        is_right = any(_holds(found, each) or _holds(each, found) for each in wanted)
        why = "" if is_right else f"neither holds nor is held by {' or '.join(map(quoted, references))}"
        return Finding(value=float(is_right), answer=text.strip(), why=why)

    return scorer_of("fuzzy", find)


def overlap_f1(answer: str, reference: str) -> float:
    """Return the harmonic mean of precision and recall of the words of `answer`, counted as bags."""
    found, wanted = Counter(words(answer)), Counter(words(reference))
    if not found or not wanted:
        return float(found == wanted)
    shared = (found & wanted).total()
    return 2 * shared / (found.total() + wanted.total())


def words(text: str) -> list[str]:
    """Return the words of `text` as SQuAD's evaluation normalises them."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NO_DIGITS = str.maketrans("", "", string.digits)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def _holds(whole: str, part: str) -> bool:
    return part in whole if part else not whole


def _nearness(value: float, text: str, reference: str) -> Finding:
    why = "" if value == 1 else f"nearest reference: {quoted(reference)}"
    return Finding(value=value, answer=text.strip(), why=why)


def _made_alike(given: CheckOptions) -> Callable[[str], str]:
    """Return what makes of a text the one that is compared. Raises UsageError."""
    expressions = given.texts("regexes_to_ignore") if given.given("regexes_to_ignore") else ()
    ignored = [Pattern(each, what='exact_match: "regexes_to_ignore"') for each in expressions]
    steps: list[Callable[[str], str]] = [pattern.removed_from for pattern in ignored]
    if given.flag("ignore_case"):
        steps.append(str.lower)
    if given.flag("ignore_punctuation"):
        steps.append(lambda text: text.translate(_NO_PUNCTUATION))
    if given.flag("ignore_numbers"):
        steps.append(lambda text: text.translate(_NO_DIGITS))
    if given.choice("normalise", ("squad", "none")) == "squad":
        steps.append(lambda text: " ".join(words(text)) or text.strip().lower())

    def alike(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return alike
