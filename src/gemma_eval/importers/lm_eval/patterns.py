"""Regular expressions of Python as RE2 has them: the same where both agree, rewritten where that is exact."""

from __future__ import annotations

import re
from collections.abc import Sequence

import re2

from gemma_eval.files import locate
from gemma_eval.files.rows import show
from gemma_eval.importers.sheet import Sheet

_END, _AT_END = re.compile(r"(?<!\\)\$"), r"\\n?\\z"
"""What Python's `$` is: the end, or the last line end before it."""
_BEHIND, _AHEAD = "(?<=", "(?="


LONGEST = 10_000
"""Characters of an expression."""


def carried(pattern: str, *, takes_first: bool) -> str:
    """Return an RE2 expression that finds what `pattern` does. Raises ValueError with what RE2 refuses.

    RE2 has no lookaround. At the ends of an expression with one group, of which the first match is taken,
    what must stand before and after can be read as a part of the match, for the group leaves it out: what is
    looked behind at has one length, so that the first match stays the first.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"is longer than {LONGEST:,} characters")
    rewritten = _without_lookaround(pattern) if takes_first else pattern
    if rewritten != pattern and groups(rewritten) != 1:
        rewritten = pattern
    groups(rewritten)
    return rewritten


def ignored(given: Sequence[str], at: locate.Path, sheet: Sheet) -> list[str]:
    """Return the expressions of `regexes_to_ignore`; those that RE2 refuses are noted in the sheet."""
    found = []
    for number, pattern in enumerate(given):
        try:
            found += [carried(pattern, takes_first=False)] if pattern else []  # nothing takes nothing away
        except ValueError as error:
            sheet.say((*at, "regexes_to_ignore", number), f"regexes_to_ignore: {show(pattern)} {error}")
    return found


def _without_lookaround(pattern: str) -> str:
    """Return an expression that reads what it looked at; unchanged where it is a choice of several."""
    spans, is_choice = _outermost(pattern)
    if is_choice or not spans:
        return pattern
    (first, after_first), (last, end) = spans[0], spans[-1]
    if pattern.startswith(_AHEAD, last) and end == len(pattern):
        ahead = pattern[last + len(_AHEAD) :]
        pattern = f"{pattern[:last]}(?:{ahead if '[' in ahead else _END.sub(_AT_END, ahead)}"
    if first == 0 and pattern.startswith(_BEHIND):
        pattern = f"(?:{pattern[len(_BEHIND) : after_first]}{pattern[after_first:]}"
    return pattern


def _outermost(pattern: str) -> tuple[list[tuple[int, int]], bool]:
    """Return where each outermost parenthesis begins and ends, and whether a `|` stands outside of all."""
    spans, depth, begin, is_choice = [], 0, 0, False
    for token in re.finditer(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()|]", pattern, re.DOTALL):
        sign = token[0]
        if sign == "(":
            begin = token.start() if depth == 0 else begin
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                spans.append((begin, token.end()))
        is_choice = is_choice or (sign == "|" and depth == 0)
    return spans, is_choice


def groups(pattern: str) -> int:
    """Return how many groups an RE2 expression has. Raises ValueError when it is none."""
    options = re2.Options()
    options.log_errors = False
    try:
        return int(re2.compile(pattern, options).groups)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else "not understood"
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(
            f"is no RE2 expression: {said} (RE2 has no lookaround and no backreferences)"
        ) from error
