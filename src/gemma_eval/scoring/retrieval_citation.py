"""Whether the passages that an answer cites by number are there and tell what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.protocols import PassagesScorer
from gemma_eval.records import Case, Given, Options, Passage
from gemma_eval.scoring.findings import Finding, quoted, unjudged
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.retrieval_passages import OfPassages, in_prompt
from gemma_eval.scoring.retrieval_words import Key, said
from gemma_eval.stats.judgements import fits


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A sentence of an answer and the numbers of the passages that it cites, of which there may be none."""

    text: str
    numbers: tuple[int, ...] = ()


def citation(options: Options) -> PassagesScorer:
    """F1 of the citations `[n]` of the answer, n being the place of a passage in the prompt, from 1.

    Precision is the share of the cited passages that are in the prompt and support the answer, recall that of
    what should be cited. Where the case says what is relevant, a relevant passage supports, and each relevant
    one in the prompt should be cited; where it does not, a passage supports the sentence before its number of
    whose words with a meaning it has the share `least`, 0.5 unless given, the words of the question left out,
    and each sentence should be. An answer that neither cites nor should is right; without a passage in the
    prompt it is unscored.
    """
    given = CheckOptions("citation", options, known=("least",))
    least = given.number("least", default=0.5, least=0.0)
    if least > 1:
        raise given.wrong("least", "a number from 0 to 1", least)

    def find(case: Case, given: Given) -> Finding:
        text = "" if given.generation is None else given.generation.text
        passages, statements = in_prompt(given), tuple(_statements(text))
        cited = {number for each in statements for number in each.numbers}
        if not passages and not cited:
            return unjudged(text.strip(), "no passage is in the prompt, so that there is nothing to cite")
        if any(each.grade > 0 for each in case.relevant):
            found = _by_judgement(cited, passages, case)
        else:
            found = _by_words(statements, passages, case, least)
        return _finding(text, cited, found, len(passages))

    return OfPassages(name="citation", find=find, needs=("answer",))


def without_citations(text: str) -> str:
    """Return a text without its citations."""
    return _CITED.sub(" ", text)


_NUMBERS = r"[\[\u3010]\^?[ ]*(?:[0-9]{1,3}(?:[ ]*[,;\u2013-][ ]*[0-9]{1,3})*)[ ]*[\]\u3011]"
_CITED = re.compile(_NUMBERS)
_RANGE = re.compile(r"([0-9]+)(?:[ ]*[\u2013-][ ]*([0-9]+))?")
_AFTER_END = re.compile(rf"([.!?])((?:\s*{_NUMBERS})+)")
_END = re.compile(r"(?<=[.!?])\s+|\n+")
_MOST_OF_RANGE = 100
_MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class _Supported:
    """Which cited numbers are right, and how much of what should be cited is."""

    right: frozenset[int]
    n_wanted: int
    n_covered: int
    missing: str = ""


def _statements(text: str) -> Iterator[Statement]:
    """Yield the sentences of a text with what they cite; what follows a full stop belongs before it."""
    for sentence in _END.split(_AFTER_END.sub(r" \2\1", text)):
        numbers = [number for match in _CITED.finditer(sentence) for number in _numbers(match.group())]
        bare = without_citations(sentence).strip(" .,;:!?")
        if bare or numbers:
            yield Statement(text=bare, numbers=tuple(numbers))


def _numbers(cited: str) -> Iterator[int]:
    for match in _RANGE.finditer(cited):
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        yield from range(first, min(last, first + _MOST_OF_RANGE) + 1) if last >= first else (first, last)


def _by_judgement(cited: set[int], passages: Sequence[Passage], case: Case) -> _Supported:
    wanted: list[set[int]] = []
    for judgement in (each for each in case.relevant if each.grade > 0):
        holds = {
            number
            for number, each in enumerate(passages, start=1)
            if fits(judgement, id=each.id, document=each.document, text=each.text)
        }
        wanted += [holds] if holds else []
    missing = [min(holds) for holds in wanted if not holds & cited]
    return _Supported(
        right=frozenset(cited & set().union(*wanted)),
        n_wanted=len(wanted),
        n_covered=len(wanted) - len(missing),
        missing=_named(missing),
    )


def _by_words(
    statements: Sequence[Statement], passages: Sequence[Passage], case: Case, least: float
) -> _Supported:
    asked = said(case.query)
    texts = {number: said(each.text) for number, each in enumerate(passages, start=1)}
    right, missing = set[int](), list[str]()
    wanted = [each for each in statements if said(each.text)]
    for statement in statements:
        words = said(statement.text)
        sought = [key for key in words if key not in asked] or list(words)
        holds = {number for number in statement.numbers if _has(texts.get(number), sought, least)}
        right |= holds
        if words and not holds:
            missing.append(statement.text)
    return _Supported(
        right=frozenset(right),
        n_wanted=len(wanted),
        n_covered=len(wanted) - len(missing),
        missing=quoted(*missing[:3]),
    )


def _has(there: Mapping[Key, str] | None, sought: Sequence[Key], least: float) -> bool:
    if there is None:
        return False
    return sum(key in there for key in sought) >= least * len(sought)


def _finding(text: str, cited: set[int], found: _Supported, n_passages: int) -> Finding:
    precision = len(found.right) / len(cited) if cited else 1.0
    recall = found.n_covered / found.n_wanted if found.n_wanted else 1.0
    if not cited and found.n_wanted:
        precision = 0.0
    both = precision + recall
    unknown = sorted(number for number in cited if not 1 <= number <= n_passages)
    wrong = sorted(cited - found.right - set(unknown))
    whys = (
        ("no such passage", _named(unknown)),
        ("does not support it", _named(wrong)),
        ("not cited" if cited else "nothing is cited, as", found.missing),
    )
    figures = {"precision": precision, "recall": recall, "n_cited": len(cited), "n_unknown": len(unknown)}
    return Finding(
        value=2 * precision * recall / both if both else 0.0,
        answer=text.strip(),
        why="; ".join(f"{what}: {each}" for what, each in whys if each),
        figures=figures,
    )


def _named(numbers: Sequence[int]) -> str:
    """Return numbers of passages as an explanation names them."""
    named = ", ".join(f"[{number}]" for number in numbers[:_MOST_NAMED])
    return f"{named}, …" if len(numbers) > _MOST_NAMED else named
