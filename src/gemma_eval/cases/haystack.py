"""Spread a `[[haystack]]` into cases: one text to be found, at each depth of a context of each length."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product

from gemma_eval.cases.case import Reading
from gemma_eval.cases.checks import unlooked
from gemma_eval.cases.schema import CaseRow, Choices, HaystackRow, NeedleValue
from gemma_eval.files import locate, read, rows
from gemma_eval.records import Case, Check, Message, Option

MOST_CASES = 10_000
"""How many cases one `[[haystack]]` may make."""

_NEEDED = {
    "prompt": '"{haystack}\\n\\nWhere does {name} live?"',
    "needle": '"- {name} lives in {value}."',
    "needles": '[{name = "Finn", value = "Oslo"}]',
    "hay": '"long/hay.md"',
    "lengths": "[8, 16]",
    "depths": "[0.0, 0.5, 1.0]",
}
"""What a haystack needs beside what every case needs, each with an example."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MISWRITTEN = re.compile(r"\{(?![A-Za-z_][A-Za-z0-9_]*\})\s*[^\W\d]\w*\s*\}")
"""A name between braces that would stay as it is, because of its spaces or of its letters."""
_HAYSTACK = "haystack"

Needle = Mapping[str, NeedleValue]


def cases(at: locate.Path, row: HaystackRow, reading: Reading, *, seed: int) -> tuple[Case, ...]:
    """Return the cases of one haystack by length, depth and needle; none after a problem.

    For one needle the hay comes in one order, which follows from the suite's seed, the id and the number of
    the needle. So a shorter haystack is the beginning of a longer one, and what the suite varies is all
    that varies.
    """
    before = len(reading.problems.found)
    stack = _Stack(at=at, row=row, reading=reading, seed=seed)
    pattern = stack.pattern()
    stack.check()
    pieces = stack.pieces()
    spread: list[Case] = []
    if len(reading.problems.found) == before and not reading.problems.flawed & {at}:
        for case in stack.spread(pattern, pieces):
            spread.append(case)
            if len(reading.problems.found) > before:  # what is wrong with one is wrong with the others
                return ()
    return tuple(spread)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stack:
    """One `[[haystack]]` table and its place in the file."""

    at: locate.Path
    row: HaystackRow
    reading: Reading
    seed: int

    def pattern(self) -> Case:
        """Return the case with its placeholders still in it; what its checks say is not looked at yet."""
        row = self.row
        choices = {key: getattr(row, key) for key in Choices.model_fields}
        asked = row.prompt or f"{{{_HAYSTACK}}}"
        plain = CaseRow.model_construct(
            **choices, id=row.id, prompt=asked, checks=row.checks, continuation=row.continuation
        )
        checks = replace(self.reading.checks, look=unlooked)
        return replace(self.reading, checks=checks).case(self.at, plain)

    def check(self) -> None:
        """Note what is absent, placeholders that some needle does not fill, and a spread too wide."""
        row, problems = self.row, self.reading.problems
        for needed, example in _NEEDED.items():
            if getattr(row, needed) is None and (*self.at, needed) not in problems.flawed:
                problems.say(self.at, f"needs {needed}, as {needed} = {example}")
        if row.prompt is not None and _HAYSTACK not in _PLACEHOLDER.findall(row.prompt):
            problems.say((*self.at, "prompt"), f"prompt needs {{{_HAYSTACK}}}, where the hay goes")
        self._check_placeholders()
        n_cases = len(row.needles or ()) * len(row.lengths or ()) * len(row.depths or ())
        if n_cases > MOST_CASES:
            problems.say(self.at, f"makes {n_cases:,} cases; at most {MOST_CASES:,} are possible")

    def pieces(self) -> tuple[str, ...]:
        """Return the pieces of hay, none when the file cannot be read."""
        row, problems = self.row, self.reading.problems
        if row.hay is None:
            return ()
        place = (*self.at, "hay")
        try:
            text = self.reading.folder.text(row.hay)
        except read.ReadError as error:
            where = f" in line {error.line}" if error.line else ""
            problems.say(place, f"hay {rows.show(row.hay)}{where} {error.what}")
            return ()
        found = tuple(line for line in text.splitlines() if line.strip())
        longest = max(row.lengths or (0,))
        if longest > len(found):
            has = f"{rows.show(row.hay)} has {len(found):,} lines with text"
            what = f"lengths asks for {longest:,} pieces of hay, and {has}; give a longer file"
            problems.say((*self.at, "lengths"), what)
        return found

    def spread(self, pattern: Case, pieces: Sequence[str]) -> Iterator[Case]:
        """Yield the pattern filled with each needle at each depth of each length."""
        row, needles = self.row, self.row.needles or []
        hay_of = [self._shuffled(pieces, number) for number in range(1, len(needles) + 1)]
        places = product(row.lengths or (), row.depths or (), range(len(needles)))
        for length, depth, index in places:
            name = f"{pattern.id}-{length}-{_number(depth)}-{index + 1}"
            if flaw := rows.name_flaw(name):
                self.reading.problems.say((*self.at, "id"), f"the id of a case {flaw}")
            case = self._filled_case(pattern, needles[index], hay_of[index][:length], depth=depth)
            yield replace(case, id=name)

    def _filled_case(self, pattern: Case, needle: Needle, hay: Sequence[str], *, depth: float) -> Case:
        """Return the pattern with a needle in this hay."""
        line = _filled(self.row.needle or "", needle)
        before = int(depth * len(hay) + 0.5)
        haystack = "\n".join((*hay[:before], line, *hay[before:]))
        asked = _filled(self.row.prompt or "", {**needle, _HAYSTACK: haystack})
        read = pattern.continuation
        case = replace(
            pattern,
            messages=(Message(role="user", content=asked),),
            continuation=None if read is None else _filled(read, needle),
            series=pattern.id,
            variables={"length": float(len(hay)), "depth": float(depth)},
            cluster=line,
        )
        checks = tuple(_filled_check(check, needle) for check in pattern.checks)
        return replace(case, checks=self.reading.checks.seen(self.at, "checks", checks, case))

    def _shuffled(self, pieces: Sequence[str], number: int) -> list[str]:
        """Return the hay in the order of one needle, the same on every machine."""
        salt = f"{self.seed}/{self.row.id}/{number}"
        order = sorted(range(len(pieces)), key=lambda index: sha256(f"{salt}/{index}".encode()).digest())
        return [pieces[index] for index in order]

    def _texts(self) -> Iterator[tuple[locate.Path, str]]:
        """Yield each text that may hold placeholders, with its place in the table."""
        row = self.row
        for key in ("prompt", "needle", "continuation"):
            if (text := getattr(row, key)) is not None:
                yield (key,), text
        for index, check in enumerate(row.checks or ()):
            for name, value in check.options.items():
                for item in value if isinstance(value, tuple) else (value,):
                    if isinstance(item, str):
                        yield ("checks", index, name), item

    def _check_placeholders(self) -> None:
        """Note each name between braces that no needle has, and each needle that lacks one."""
        needles, problems = self.row.needles, self.reading.problems
        if needles is None or (*self.at, "needles") in problems.flawed:
            return
        lacking: set[str] = set()
        for key, text in self._texts():
            extra = {_HAYSTACK} if key == ("prompt",) else set()
            for name in dict.fromkeys(_MISWRITTEN.findall(text)):
                right = "as {name}: letters a to z, digits and _, without spaces"
                problems.say((*self.at, *key), f"{key[0]}: a placeholder is written {right}; not {name}")
            for name in dict.fromkeys(_PLACEHOLDER.findall(text)):
                lacks = [index for index, needle in enumerate(needles) if name not in needle]
                if name in extra | lacking or not lacks:
                    continue
                lacking.add(name)
                if len(lacks) < len(needles):
                    what = f"needles[{lacks[0]}] has no {name}, which {key[0]} asks for as {{{name}}}"
                    problems.say((*self.at, "needles", lacks[0]), what)
                else:
                    known = rows.unknown("key of the needles", name, sorted({*extra, *needles[0]}))
                    problems.say((*self.at, *key), f"{key[0]}: {{{name}}}: {known}")


def _filled(text: str, values: Needle) -> str:
    """Put the values in the places of their names, in one pass: what is put in is not looked at again."""
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text)


def _filled_check(check: Check, needle: Needle) -> Check:
    """Return the check of one case."""
    options = {key: _filled_option(value, needle) for key, value in check.options.items()}
    return replace(check, options=options)


def _filled_option(value: Option, needle: Needle) -> Option:
    """Fill the texts of an option; a placeholder alone becomes the value as it is, number or text."""
    if isinstance(value, tuple):
        return tuple(_filled(item, needle) if isinstance(item, str) else item for item in value)
    if not isinstance(value, str):
        return value
    alone = _PLACEHOLDER.fullmatch(value)
    return needle.get(alone[1], value) if alone else _filled(value, needle)


def _number(depth: float) -> str:
    """Write a depth as an id shows it: `0.5`, and `1` for 1.0."""
    return repr(abs(float(depth))).removesuffix(".0")
