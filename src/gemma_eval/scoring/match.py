"""Scorers that look for a given text, pattern or number; their value is 1 or 0."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Context, Decimal

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Case, Generation, Options, Score
from gemma_eval.scoring.options import CheckOptions

Judge = Callable[[str], tuple[bool, str, str]]
"""Takes the whole answer; returns whether it is right, the part that was judged, and why."""


def equals(options: Options) -> Scorer:
    """The answer is `text`, apart from space around it; `ignore_case` makes case not matter."""
    given = CheckOptions("equals", options, known=("text", "ignore_case"))
    fold = str.casefold if given.flag("ignore_case") else str
    wanted = given.text("text").strip()

    def judge(text: str) -> tuple[bool, str, str]:
        answer = text.strip()
        right = fold(answer) == fold(wanted)
        return right, answer, "" if right else f"expected {_quoted(wanted)}"

    return _scorer("equals", judge)


def contains(options: Options) -> Scorer:
    """The answer holds `text`, one of the texts `any`, or each of the texts `all`: exactly one is given."""
    given = CheckOptions("contains", options, known=("text", "any", "all", "ignore_case"))
    chosen = given.given("text", "any", "all")
    if len(chosen) != 1:
        raise UsageError(f'contains: give one of "text", "any" and "all", not {len(chosen)} of them')
    wanted = (given.text("text"),) if chosen == ("text",) else given.texts(chosen[0])
    fold = str.casefold if given.flag("ignore_case") else str
    enough = any if chosen == ("any",) else all

    def judge(text: str) -> tuple[bool, str, str]:
        absent = [part for part in wanted if fold(part) not in fold(text)]
        right = enough(part not in absent for part in wanted)
        why = "" if right else f"does not contain {', '.join(_quoted(part) for part in absent)}"
        return right, text.strip(), why

    return _scorer("contains", judge)


def regex(options: Options) -> Scorer:
    """The RE2 expression `pattern` matches somewhere in the answer; what it matched is the judged part.

    RE2 needs time linear in the answer, so no pattern can hang a run; it has no backreferences and no
    lookaround. Source: https://github.com/google/re2/wiki/Syntax.
    """
    import re2

    given = CheckOptions("regex", options, known=("pattern", "ignore_case"))
    pattern = given.text("pattern")
    settings = re2.Options()
    settings.log_errors = False
    settings.case_sensitive = not given.flag("ignore_case")
    try:
        compiled = re2.compile(pattern, settings)
    except re2.error as error:
        reason = error.args[0] if error.args else "not understood"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise UsageError(
            f'regex: "pattern" {_quoted(pattern)} is not an RE2 expression: {reason} '
            "(RE2 has no lookaround and no backreferences)"
        ) from error

    def judge(text: str) -> tuple[bool, str, str]:
        found = compiled.search(text)
        if found is None:
            return False, text.strip(), f"{_quoted(pattern)} matches nothing"
        return True, str(found.group()), ""

    return _scorer("regex", judge)


def numeric(options: Options) -> Scorer:
    """The last number of the answer is `value`, within `tolerance` or within `relative` times its size.

    Both are 0 unless given, and the wider one counts. Numbers are in English notation: 1,234.5, -3, .5,
    2e6; a sign may be U+2212, groups of three may be split by a narrow or a no-break space, and what
    follows (a unit, %) is not read: 50 % is 50. An answer without a number is wrong.
    """
    given = CheckOptions("numeric", options, known=("value", "tolerance", "relative"))
    wanted = _decimal(given.number("value"))
    tolerance = _decimal(given.number("tolerance", default=0.0, least=0.0))
    relative = _decimal(given.number("relative", default=0.0, least=0.0))
    allowed = max(tolerance, _CONTEXT.multiply(relative, abs(wanted)))

    margin = f", within {allowed}" if allowed else ""

    def judge(text: str) -> tuple[bool, str, str]:
        found = _NUMBER.findall(text)
        if not found:
            return False, text.strip(), "no number in the answer"
        difference = _CONTEXT.abs(_CONTEXT.subtract(_parsed(found[-1]), wanted))
        right = difference <= allowed
        return right, found[-1], "" if right else f"expected {wanted}{margin}"

    return _scorer("numeric", judge)


_CONTEXT = Context(prec=60, traps=[])
"""Decimal arithmetic that turns a hostile exponent into infinity instead of an error."""

_SPLIT = ",\u00a0\u202f\u2009"
_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9_.])(?:(?<!\))[-+\u2212])?"
    rf"(?:[0-9]{{1,3}}(?:[{_SPLIT}][0-9]{{3}})+(?![0-9])|[0-9]+|(?=\.[0-9]))"
    rf"(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
)


def _parsed(number: str) -> Decimal:
    plain = number.replace("\u2212", "-")
    return _CONTEXT.create_decimal(plain.translate({ord(sign): None for sign in _SPLIT}))


def _decimal(number: float) -> Decimal:
    """Return the decimal that a person wrote, not the binary fraction nearest to it."""
    return Decimal(repr(number))


def _quoted(text: str) -> str:
    return f'"{text}"'


def _scorer(name: str, judge: Judge) -> Scorer:
    def score(case: Case, generation: Generation) -> Score:
        right, answer, why = judge(generation.text)
        return Score(scorer=name, value=float(right), passed=None, answer=answer, explanation=why)

    return score
