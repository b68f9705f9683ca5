"""The choice that an answer makes: by an expression, by what the choices say, or by a letter after a colon.

Source: EleutherAI/lm-evaluation-harness:lm_eval/filters/extraction.py (`MultiChoiceRegexFilter`),
version 0.4.13.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from string import ascii_uppercase

from gemma_eval.records import Options
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.patterns import Pattern

_NAME = "multi_choice_regex"
_KNOWN = (
    *("pattern", "which", "fallback", "choices"),
    *("ignore_case", "ignore_punctuation", "regexes_to_ignore"),
)


def multi_choice_regex(options: Options) -> Callable[[str], str]:
    """Find what `pattern` matches, else one of `choices`, as its letter "(A)", else a letter after a colon.

    `which` of the matches counts; of one with groups, the first group that is not empty. Answer and choices
    are compared without what `ignore_case`, `ignore_punctuation` and `regexes_to_ignore` take away. The text
    is `fallback` where nothing is found. Raises UsageError.
    """
    given = CheckOptions(_NAME, options, known=_KNOWN)
    pattern = Pattern(given.text("pattern"), what=f'{_NAME}: "pattern"')
    which, fallback = given.match_number("which"), given.text_or("fallback", "")
    choices = [text.strip() for text in given.texts_or_empty("choices")]
    if len(choices) > len(ascii_uppercase):
        raise given.problem(f'"choices" has {len(choices)} texts, and there are 26 letters')
    bare = _bare(given)
    letters = ascii_uppercase[: len(choices)]
    labels = {bare(text): f"({letter})" for text, letter in zip(choices, letters, strict=True)}
    any_choice, any_letter = _any_of(labels), re.compile(rf":\s*([{letters}])")

    def step(text: str) -> str:
        found = _matched(pattern, text, which) or _said(any_choice.findall(bare(text)), which, labels)
        return (
            found
            or _said(any_letter.findall(text), which, {each: f"({each})" for each in letters})
            or fallback
        )

    return step


def _bare(given: CheckOptions) -> Callable[[str], str]:
    """Return what takes away what is ignored, in the order of there."""
    texts = given.texts("regexes_to_ignore") if given.given("regexes_to_ignore") else ()
    patterns = [Pattern(each, what=f'{_NAME}: "regexes_to_ignore"') for each in texts]
    lowers, drops = given.flag("ignore_case"), given.flag("ignore_punctuation")

    def bare(text: str) -> str:
        for pattern in patterns:
            text = pattern.removed_from(text)
        text = text.lower() if lowers else text
        return "".join(filter(_is_no_punctuation, text)) if drops else text

    return bare


def _is_no_punctuation(letter: str) -> bool:
    return not unicodedata.category(letter).startswith("P")


def _any_of(texts: Mapping[str, str]) -> re.Pattern[str]:
    """Return what finds each text, the longest of those that begin alike; literals alone, so it is quick."""
    return re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))))


def _matched(pattern: Pattern, text: str, which: int) -> str:
    found = pattern.nth(text, which)
    if found is None:
        return ""
    groups = range(1, pattern.groups + 1) if pattern.groups else (0,)
    spans = [(found.start(each), found.end(each)) for each in groups]
    return next((text[start:end] for start, end in spans if start < end), "").strip()


def _said(found: Sequence[str], which: int, labels: Mapping[str, str]) -> str:
    """Return the label of the match of that number, or the match where space around it is of the choice."""
    if not -len(found) <= which < len(found):
        return ""
    said = found[which].strip()
    return labels.get(said, said) if said else ""
