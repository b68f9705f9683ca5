"""How the answers of a run were had where its cases have a cache, in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gemma_eval.records import Report
from gemma_eval.report import numbers


def told(report: Report) -> Iterator[str]:
    """Say how many answers a cache gave again, and why others were not kept; nothing where there was none."""
    found = [outcome.cached for outcome in report.outcomes if outcome.cached is not None]
    if not found:
        return
    uses = Counter(cached.use for cached in found)
    hits = uses["exact"] + uses["semantic"]
    kinds = f" ({numbers.count(uses['semantic'])} of them to another question)" if uses["semantic"] else ""
    yield (
        f"{numbers.count(hits)} of {numbers.count(len(found))} answers were given again by a cache{kinds}; "
        "they are scored, and their times count nowhere."
    )
    reasons = Counter(cached.reason for cached in found if cached.reason is not None)
    for reason, n in reasons.most_common(_MOST_REASONS):
        yield f"{numbers.count(n)} {'answer' if n == 1 else 'answers'} without it: {reason}."


_MOST_REASONS = 3
