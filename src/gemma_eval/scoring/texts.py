"""Scorers that look for given texts in an answer; their value is 1 or 0."""

from __future__ import annotations

from collections.abc import Callable

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, quoted, right, scorer_of, wrong
from gemma_eval.scoring.options import CheckOptions


def equals(options: Options) -> Scorer:
    """The answer is `text`, apart from space around it; `ignore_case` makes case not matter."""
    given = CheckOptions("equals", options, known=("text", "ignore_case"))
    fold = _fold(given)
    wanted = given.text("text").strip()

    def find(text: str) -> Finding:
        answer = text.strip()
        if fold(answer) == fold(wanted):
            return right(answer)
        return wrong(answer, f"expected {quoted(wanted)}")

    return scorer_of("equals", find)


def contains(options: Options) -> Scorer:
    """The answer holds `text`, one of the texts `any`, or each of the texts `all`: exactly one is given."""
    given = CheckOptions("contains", options, known=("text", "any", "all", "ignore_case"))
    return _containing("contains", given, fold=_fold(given))


def icontains(options: Options) -> Scorer:
    """The answer holds the texts as `contains` wants them, whatever their case."""
    given = CheckOptions("icontains", options, known=("text", "any", "all"))
    return _containing("icontains", given, fold=str.casefold)


def starts_with(options: Options) -> Scorer:
    """The answer begins with `text`, or with one of several, apart from space before it."""
    given = CheckOptions("starts_with", options, known=("text", "ignore_case"))
    wanted = given.texts("text")
    fold = _fold(given)
    prefixes = tuple(fold(text.lstrip()) for text in wanted)

    def find(text: str) -> Finding:
        answer = text.strip()
        if fold(answer).startswith(prefixes):
            return right(answer)
        return wrong(answer, f"does not begin with {_or(wanted)}")

    return scorer_of("starts_with", find)


def _containing(name: str, given: CheckOptions, *, fold: Callable[[str], str]) -> Scorer:
    chosen = given.given("text", "any", "all")
    if len(chosen) != 1:
        raise UsageError(f'{name}: give one of "text", "any" and "all", not {len(chosen)} of them')
    wanted = (given.text("text"),) if chosen == ("text",) else given.texts(chosen[0])
    enough = any if chosen == ("any",) else all

    def find(text: str) -> Finding:
        folded = fold(text)
        absent = [part for part in wanted if fold(part) not in folded]
        if enough(part not in absent for part in wanted):
            return right(text.strip())
        return wrong(text.strip(), f"does not contain {quoted(*absent)}")

    return scorer_of(name, find)


def _fold(given: CheckOptions) -> Callable[[str], str]:
    return str.casefold if given.flag("ignore_case") else str


def _or(texts: tuple[str, ...]) -> str:
    return " or ".join(quoted(text) for text in texts)
