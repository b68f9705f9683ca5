"""Filters: what is made of an answer before a scorer reads it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence

from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Filter, Options
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.patterns import Match, Pattern
from gemma_eval.scoring.said_choice import multi_choice_regex

TextToText = Callable[[str], str]


def build(filters: Sequence[Filter]) -> TextToText:
    """Return the pipeline that runs `filters` in their order. Raises UsageError, UnknownName."""
    steps = [_step(each) for each in filters]

    def run(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return run


def filter_names() -> tuple[str, ...]:
    """Return the names of all filters."""
    return tuple(sorted({*_PLAIN, *_WITH_OPTIONS}))


def _step(given: Filter) -> TextToText:
    if given.name in _WITH_OPTIONS:
        return _WITH_OPTIONS[given.name](given.options)
    if given.name not in _PLAIN:
        raise UnknownName("filter", given.name, filter_names())
    if given.options:
        raise UsageError(f"{given.name}: has no options")
    return _PLAIN[given.name]


def _regex(options: Options) -> TextToText:
    """What `pattern` matches: its `group`, or the first group that is not empty, or the whole match.

    `which` match counts is *first*, *last* or a number, from 0 or from -1 backwards; where there is none, or
    all of several groups are empty, the text is `fallback`, empty unless given.
    Source: EleutherAI/lm-evaluation-harness:lm_eval/filters/extraction.py, whose patterns are imported.
    """
    given = CheckOptions("regex", options, known=("pattern", "group", "which", "fallback", "ignore_case"))
    pattern = Pattern(given.text("pattern"), what='regex: "pattern"', ignore_case=given.flag("ignore_case"))
    group = given.whole("group")
    if group is not None and group > pattern.groups:
        raise UsageError(f'regex: "group" is {group}, and "pattern" has {pattern.groups} groups')
    which, fallback = given.match_number("which"), given.text_or("fallback", "")

    def step(text: str) -> str:
        found = pattern.nth(text, which)
        part = None if found is None else _part(found, text, group=group, groups=pattern.groups)
        return fallback if part is None else part

    return step


def _remove(options: Options) -> TextToText:
    """Remove what each `pattern` matches."""
    given = CheckOptions("remove", options, known=("pattern", "ignore_case"))
    ignore_case = given.flag("ignore_case")
    patterns = [
        Pattern(each, what='remove: "pattern"', ignore_case=ignore_case) for each in given.texts("pattern")
    ]

    def step(text: str) -> str:
        for pattern in patterns:
            text = pattern.removed_from(text)
        return text

    return step


def _replace(options: Options) -> TextToText:
    """Replace each text of `from` by its counterpart in `to`, one after the other."""
    table = _table("replace", options, known=("from", "to"))

    def step(text: str) -> str:
        for old, new in table.items():
            text = text.replace(old, new)
        return text

    return step


def _map(options: Options) -> TextToText:
    """Replace a text that is one of `from` by its counterpart in `to`, any other by `fallback` if given."""
    table = _table("map", options, known=("from", "to", "fallback"))
    given = CheckOptions("map", options, known=("from", "to", "fallback"))
    if not given.given("fallback"):
        return lambda text: table.get(text, text)
    fallback = given.text_or("fallback", "")
    return lambda text: table.get(text, fallback)


def _before(options: Options) -> TextToText:
    """Keep what stands before `text`, before its *first* or *last* time; all where it does not occur."""
    mark, which = _mark("before", options)

    def step(text: str) -> str:
        index = text.find(mark) if which == "first" else text.rfind(mark)
        return text if index < 0 else text[:index]

    return step


def _after(options: Options) -> TextToText:
    """Keep what stands after `text`, after its *first* or *last* time; all where it does not occur."""
    mark, which = _mark("after", options)

    def step(text: str) -> str:
        index = text.find(mark) if which == "first" else text.rfind(mark)
        return text if index < 0 else text[index + len(mark) :]

    return step


def _take_words(options: Options) -> TextToText:
    """Keep the first `n` words, one space between them."""
    n = CheckOptions("take_words", options, known=("n",)).whole("n", default=1, least=1)
    return lambda text: " ".join(text.split()[:n])


def _code_block(options: Options) -> TextToText:
    """Keep what stands in the *first* or *last* block fenced by three backticks; all where there is none."""
    which = CheckOptions("code_block", options, known=("which",)).choice("which", ("first", "last"))

    def step(text: str) -> str:
        blocks = _blocks(text)
        return text if not blocks else blocks[0 if which == "first" else -1]

    return step


_PLAIN: Mapping[str, TextToText] = {
    "strip": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "casefold": str.casefold,
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "first_line": lambda text: text.strip().partition("\n")[0].strip(),
    "last_line": lambda text: text.strip().rpartition("\n")[2].strip(),
    "strip_start": str.lstrip,
    "single_spaces": lambda text: " ".join(text.split()),
    "remove_whitespace": lambda text: "".join(text.split()),
}

_WITH_OPTIONS: Mapping[str, Callable[[Options], TextToText]] = {
    "regex": _regex,
    "remove": _remove,
    "replace": _replace,
    "map": _map,
    "before": _before,
    "after": _after,
    "take_words": _take_words,
    "code_block": _code_block,
    "multi_choice_regex": multi_choice_regex,
}


def _blocks(text: str) -> list[str]:
    """Return the contents of the fenced blocks that are closed."""
    blocks: list[str] = []
    inside: list[str] | None = None
    for line in text.splitlines(keepends=True):
        mark = line.strip()
        if inside is None:
            inside = [] if mark.startswith("```") and "`" not in mark[3:] else None
        elif mark == "```":
            blocks.append("".join(inside))
            inside = None
        else:
            inside.append(line)
    return blocks


def _part(found: Match, text: str, *, group: int | None, groups: int) -> str | None:
    """Return the part of a match that counts, `None` where it has several groups and all are empty."""
    if group is None and groups > 1:
        parts = (text[found.start(each) : found.end(each)] for each in range(1, groups + 1))
        return next(filter(None, parts), None)
    chosen = groups if group is None else group  # the whole match, or the only group
    return text[found.start(chosen) : found.end(chosen)] if found.start(chosen) >= 0 else ""


def _table(name: str, options: Options, *, known: tuple[str, ...]) -> Mapping[str, str]:
    given = CheckOptions(name, options, known=known)
    old, new = given.texts("from"), given.texts_or_empty("to")
    if len(old) != len(new):
        raise UsageError(
            f'{name}: "from" has {len(old)} texts, and "to" {len(new)}: each needs its counterpart'
        )
    return dict(zip(old, new, strict=True))


def _mark(name: str, options: Options) -> tuple[str, str]:
    given = CheckOptions(name, options, known=("text", "which"))
    return given.text("text"), given.choice("which", ("first", "last"))
