"""The screen and the JSON of `gemma-eval selftest --scorers`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gemma_eval.selftest.scorers import Checked, State

HEAD = f"  {'source':<24}{'values':>8}{'agree':>8}{'by design':>11}{'not run':>9}{'differ':>8}"
_COLOURS: dict[State, str] = {"differs": "red", "not run": "yellow", "differs by design": "cyan"}


def screen(checked: Sequence[Checked]) -> Iterator[str]:
    """Yield the lines of the screen, in 80 columns: a row per source, then what does not agree and why."""
    from gemma_eval.selftest.scorers import by_source

    yield click.style("values that others have published", bold=True)
    yield HEAD
    for source, members in by_source(checked):
        counts = Counter(each.state for each in members)
        yield (
            f"  {source.name:<24}{len(members):>8}{counts['agrees']:>8}{counts['differs by design']:>11}"
            f"{counts['not run']:>9}{counts['differs']:>8}"
        )
    for state, colour in _COLOURS.items():
        yield from _reasons([each for each in checked if each.state == state], colour)
    yield ""
    yield _ending(checked)


def as_json(checked: Sequence[Checked]) -> str:
    """Return every vector with where it is from, what was computed of it, and how that compares."""
    rows = [
        {
            "source": each.source.name,
            "where": each.source.where,
            "commit": each.source.commit,
            "licence": each.source.licence,
            "vector": asdict(each.vector),
            "value": each.value,
            "state": each.state,
            "why": each.why,
        }
        for each in checked
    ]
    return json.dumps({"vectors": rows}, indent=1, ensure_ascii=False)


def _reasons(members: Sequence[Checked], colour: str) -> Iterator[str]:
    """Yield what is of one state under a heading, with the reason below each."""
    if members:
        yield ""
        yield click.style(f"  {members[0].state}", fg=colour)
    for each in members:
        yield from _wrapped(f"{each.source.name}: {each.vector.name}", by=4)
        yield from _wrapped(each.why, by=6)


def _wrapped(text: str, *, by: int) -> list[str]:
    return wrap(text, 78, initial_indent=" " * by, subsequent_indent=" " * by)


def _ending(checked: Sequence[Checked]) -> str:
    differing = sum(each.state == "differs" for each in checked)
    if not differing:
        return click.style(f"none of {len(checked)} values differs from ours unless by design", fg="green")
    what = "differs" if differing == 1 else "differ"
    return click.style(f"{differing} of {len(checked)} values {what}", fg="red")
