"""What `gemma-eval suite` says of suites that it has read, in lines."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from gemma_eval.cli.suite_checked import Checked
from gemma_eval.executors.refusals import in_words
from gemma_eval.report import numbers
from gemma_eval.report.visible import visible

_WIDTH = 80
_MOST = 20
"""So many reasons why something cannot run are said; JSON has them all."""


def lines(name: str, each: Checked) -> Iterator[str]:
    """Yield the size of a suite that can be read, and what of it cannot run here."""
    models = ", ".join(each.models) or "no model"
    counts = f"{_many(each.cases, 'case')}, {_many(each.cells, 'cell')}, {_many(each.trials, 'trial')}"
    yield from _wrapped(f"{name}: {counts} with {models}: nothing is wrong")
    said = [f"{_many(skip.cells, 'cell')} skipped here: {in_words(skip)}" for skip in each.skipped]
    said += [f"will fail here: {reason}" for reason in each.missing]
    for sentence in said[:_MOST]:
        yield from _wrapped(f"note: {sentence}", indent="  ")
    if len(said) > _MOST:
        yield f"  note: {len(said) - _MOST} more reasons; --json has them"
    yield from (f"  install: {line}" for line in each.needs)


def figures(each: Checked) -> tuple[str, str]:
    """Return how many cases and cells a suite has, dashes where it cannot be read."""
    if each.problems:
        return numbers.MISSING, numbers.MISSING
    return numbers.count(each.cases), numbers.count(each.cells)


def needed(each: Checked) -> str:
    """Return what keeps a suite or a part of it from running here, in a word or two."""
    if each.problems:
        return f"mending: {_many(len(each.problems), 'problem')}"
    lines = [line.split()[-1].strip('"').removeprefix("gemma_eval") for line in each.needs]
    return ", ".join(lines) or ("its files" if each.missing else "")


def _wrapped(sentence: str, *, indent: str = "") -> list[str]:
    return wrap(visible(sentence), _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ") or [""]


def _many(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{numbers.count(count)} {noun}s"
