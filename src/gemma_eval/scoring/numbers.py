"""Numbers as people write them in English, and a scorer that compares one of an answer's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, quoted, right, scorer_of, wrong
from gemma_eval.scoring.options import CheckOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A number as it is written in a text, and its value; `is_percent` when a % follows it."""

    written: str
    value: Decimal
    is_percent: bool = False


def numeric(options: Options) -> Scorer:
    """The number of the answer that counts is `value`, within `tolerance` or `relative` times its size.

    Both are 0 unless given, and the wider one counts. `which` number counts: the *last*, unless it says
    *first*, or *only*, which makes an answer of several numbers wrong. With `percent` 50 % is 0.5;
    without it the sign is not read, as no unit is. `value` is a number, or a text that is one number.
    An answer without a number is wrong.
    """
    given = CheckOptions("numeric", options, known=("value", "tolerance", "relative", "which", "percent"))
    percent = given.flag("percent")
    number = _given_number(given)
    wanted = _valued(number, percent=percent)
    which = given.choice("which", ("last", "first", "only"))
    tolerance = _decimal(given.number("tolerance", default=0.0, least=0.0))
    relative = _decimal(given.number("relative", default=0.0, least=0.0))
    allowed = max(tolerance, _CONTEXT.multiply(relative, abs(wanted)))
    margin = f", within {allowed}" if allowed else ""

    def find(text: str) -> Finding:
        if which == "first":
            counts = next(numbers(text), None)
        else:
            counts, n = _last(text)
            if which == "only" and n > 1:
                return wrong(text.strip(), f"{n} numbers in the answer, where one is wanted")
        if counts is None:
            return wrong(text.strip(), "no number in the answer")
        difference = _CONTEXT.abs(_CONTEXT.subtract(_valued(counts, percent=percent), wanted))
        if difference <= allowed:
            return right(counts.written)
        return wrong(counts.written, f"expected {number.written}{margin}")

    return scorer_of("numeric", find)


def numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a text from left to right.

    They are in English notation: 1,234.5, -3, .5, 2e6; a sign may be U+2212, groups of three may be split
    by a comma, a narrow or a no-break space. 3/4, ½ and 2½ are fractions, and so is the end of 2 1/2;
    1/2/2024 are three numbers.
    """
    for match in _NUMBER.finditer(text):
        yield from _read(match)


def _last(text: str) -> tuple[Number | None, int]:
    """Return the last number, and how many there are, without reading those before it."""
    n, last = 0, None
    for match in _NUMBER.finditer(text):
        n, last = n + 1, match
    if last is None:
        return None, 0
    *before, number = _read(last)
    return number, n + len(before)


_SPLIT = ",\u00a0\u202f\u2009"
_SLASH = "/\u2044"
_WHOLE = rf"(?:[0-9]{{1,3}}(?:[{_SPLIT}][0-9]{{3}})+(?![0-9])|[0-9]+)"
_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9_.])(?P<sign>(?<!\))[-+\u2212])?(?:"
    rf"(?:(?P<whole>{_WHOLE})[ ]?)?(?P<vulgar>[\u00bc-\u00be\u2150-\u215e\u2189])"
    rf"|(?:(?P<units>{_WHOLE})[ ])?(?<![{_SLASH}])(?P<over>[0-9]+)[{_SLASH}](?P<under>[0-9]+)"
    rf"(?![0-9{_SLASH}]|[.,][0-9])"
    rf"|(?P<decimal>(?:{_WHOLE}|(?=\.[0-9]))(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    rf")(?P<percent>[ \u00a0\u202f]?%)?"
)

_CONTEXT = Context(prec=60, traps=[])
"""Decimal arithmetic that turns a hostile exponent into infinity, and 1/0 too, instead of an error."""


def _read(match: re.Match[str]) -> Iterator[Number]:
    parts = {name: part or "" for name, part in match.groupdict().items()}
    written, is_percent = match.group().removesuffix(parts["percent"]), bool(parts["percent"])
    if parts["decimal"]:
        value = _plain(parts["decimal"])
    elif parts["vulgar"]:
        over, under = unicodedata.normalize("NFKC", parts["vulgar"]).split("\u2044")
        value = _CONTEXT.add(_plain(parts["whole"] or "0"), _quotient(over, under))
    else:
        value = _quotient(parts["over"], parts["under"])
        if parts["units"] and value < 1:
            value = _CONTEXT.add(_plain(parts["units"]), value)
        elif parts["units"]:
            # 7 5/2 is no mixed number, but 7 and 5/2.
            yield Number(written=parts["sign"] + parts["units"], value=_signed(parts["sign"], parts["units"]))
            yield Number(written=f"{parts['over']}/{parts['under']}", value=value, is_percent=is_percent)
            return
    minus = parts["sign"] in ("-", "\u2212")
    yield Number(written=written, value=value.copy_negate() if minus else value, is_percent=is_percent)


def _signed(sign: str, digits: str) -> Decimal:
    value = _plain(digits)
    return value.copy_negate() if sign in ("-", "\u2212") else value


def _plain(digits: str) -> Decimal:
    return _CONTEXT.create_decimal(digits.translate({ord(sign): None for sign in _SPLIT}))


def _quotient(over: str, under: str) -> Decimal:
    return _CONTEXT.divide(_plain(over), _plain(under))


def _given_number(given: CheckOptions) -> Number:
    """Return the wanted number, from a number or from the text of one. Raises UsageError."""
    value = given.number_or_text("value")
    if not isinstance(value, str):
        # The decimal that a person wrote, not the binary fraction nearest to it.
        return Number(written=str(value), value=_decimal(value))
    found = list(numbers(value.strip()))
    whole = {number.written + "%" * number.is_percent for number in found}
    if len(found) != 1 or re.sub(r"\s+%", "%", value.strip()) not in whole or not found[0].value.is_finite():
        raise UsageError(f'numeric: "value" must be a number or the text of one, not {quoted(value)}')
    return found[0]


def _valued(number: Number, *, percent: bool) -> Decimal:
    return _CONTEXT.divide(number.value, Decimal(100)) if percent and number.is_percent else number.value


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))
