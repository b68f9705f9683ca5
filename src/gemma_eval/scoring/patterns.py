"""Regular expressions that need time linear in the text: RE2, and a scorer that looks for one.

Source: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

import re2

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, quoted, right, scorer_of, wrong
from gemma_eval.scoring.options import CheckOptions


class Match(Protocol):
    """What is used of a match; positions are those of characters."""

    def start(self, group: int = 0) -> int: ...  # noqa: D102
    def end(self, group: int = 0) -> int: ...  # noqa: D102


class Pattern:
    """A compiled RE2 expression; it can be used on every text, lone surrogates among them."""

    def __init__(self, pattern: str, *, what: str, ignore_case: bool = False) -> None:
        """Compile. Raises UsageError, which begins with `what` and says why RE2 refuses the expression."""
        settings = re2.Options()
        settings.log_errors = False
        settings.case_sensitive = not ignore_case
        try:
            self._compiled = re2.compile(pattern, settings)
        except (re2.error, UnicodeEncodeError) as error:
            raise UsageError(
                f"{what} {quoted(pattern)} is not an RE2 expression: {_reason(error)} "
                "(RE2 has no lookaround and no backreferences)"
            ) from error
        self.text = pattern
        self.groups: int = self._compiled.groups

    def first(self, text: str) -> Match | None:
        """Return the first match anywhere in `text`."""
        found: Match | None = self._compiled.search(_encodable(text))
        return found

    def every(self, text: str) -> Iterator[Match]:
        """Yield all matches that do not overlap, from left to right."""
        yield from self._compiled.finditer(_encodable(text))

    def nth(self, text: str, which: int) -> Match | None:
        """Return the match of that number, from 0 or from -1 backwards."""
        if which >= 0:
            return next(islice(self.every(text), which, None), None)
        last = deque(self.every(text), maxlen=-which)
        return last[0] if len(last) == -which else None

    def removed_from(self, text: str) -> str:
        """Return `text` without what matches."""
        kept, end = [], 0
        for match in self.every(text):
            kept.append(text[end : match.start()])
            end = match.end()
        return "".join((*kept, text[end:]))


def regex(options: Options) -> Scorer:
    """The RE2 expression `pattern` matches somewhere in the answer; what it matched is the judged part.

    RE2 needs time linear in the answer, so no pattern can hang a run; it has no backreferences and no
    lookaround. Source: https://github.com/google/re2/wiki/Syntax.
    """
    given = CheckOptions("regex", options, known=("pattern", "ignore_case"))
    pattern = Pattern(given.text("pattern"), what='regex: "pattern"', ignore_case=given.flag("ignore_case"))

    def find(text: str) -> Finding:
        match = pattern.first(text)
        if match is None:
            return wrong(text.strip(), f"{quoted(pattern.text)} matches nothing")
        return right(text[match.start() : match.end()])

    return scorer_of("regex", find)


_SURROGATES = re.compile("[\ud800-\udfff]")


def _encodable(text: str) -> str:
    """Return `text` with U+FFFD for each lone surrogate, which RE2 cannot read; positions stay."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it holds half of a surrogate pair"
    reason = error.args[0] if error.args else "not understood"
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
