"""What the commands of a memory print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gemma_eval.records import MemoryStats, Piece
from gemma_eval.report import numbers
from gemma_eval.report.columns import columns

if TYPE_CHECKING:
    from gemma_eval.memory.consolidate import Order
    from gemma_eval.memory.tiers import Rules

_WIDTH = 60
_MOST_LINES = 20


def place(location: str) -> str:
    """Return where a memory is, without a password."""
    from gemma_eval.memory.stores import without_password

    return without_password(location)


def found(piece: Piece, *, score: float, as_json: bool) -> str:
    """Return a passage that was found."""
    if as_json:
        return _json({"score": score, **asdict(piece)})
    head = f"{score:6.3g}  {_plain(piece.id)}  {_cut(piece.document, 2 * _WIDTH)}"
    return f"{head}\n        {_cut(piece.text, 2 * _WIDTH)}"


def json_of(piece: Piece) -> str:
    """Return a passage as a line of JSON."""
    return _json(asdict(piece))


def listed(pieces: Sequence[Piece], *, now_s: float) -> Iterator[str]:
    """Yield a table of passages."""
    if not pieces:
        return
    head = ("id", "tier", "said (UTC)", "ends in", "given", "text")
    yield from columns([head, *(_row(piece, now_s) for piece in pieces)])


def passages(n: int) -> str:
    """Return how many passages there are, in words."""
    return "1 passage" if n == 1 else f"{n:,} passages"


def what_went(before: MemoryStats, after: MemoryStats, *, n_new: int, forgotten: int = 0) -> Iterator[str]:
    """Yield what is not there any more after passages came."""
    if forgotten:
        yield f"  {forgotten:,} that their documents had before are forgotten"
    was, now = (sum(each.passages.values()) + each.expired for each in (before, after))
    if (went := was + n_new - forgotten - now) > 0:
        yield f"  {went:,} went: past their time, or least worth in a full tier (gemma-eval memory tiers)"


def stats(counted: MemoryStats, rules: Rules, *, as_json: bool) -> Iterator[str]:
    """Yield the figures of a memory."""
    if as_json:
        yield json.dumps(asdict(counted))
        return
    rows = [("tier", "passages", "room for", "each for")]
    for tier, n in counted.passages.items():
        rule = rules[tier]  # type: ignore[index]  # stats count by tier
        rows.append((tier, f"{n:,}", _count(rule.capacity), _span(rule.ttl_s)))
    yield from columns(rows)
    yield f"past their time: {counted.expired:,}"
    yield from (f"vectors of {_plain(embedder)}: {n:,}" for embedder, n in counted.vectors.items())
    if counted.size_bytes is not None:
        yield f"size: {numbers.bytes_(counted.size_bytes)}"


def indexed(recall: Mapping[str, float]) -> Iterator[str]:
    """Yield how good the index of each embedder is."""
    for embedder, share in recall.items():
        yield f"vectors of {_plain(embedder)} are indexed; {share:.3f} of the nearest ten are found"


def rules(kept: Rules) -> Iterator[str]:
    """Yield a table of the rules of tiers."""
    head = ("tier", "capacity", "ttl_s", "decay_per_day", "promotes_to", "when given", "important", "old")
    rows = [
        (
            tier,
            _count(rule.capacity),
            _number(rule.ttl_s),
            _number(rule.decay_per_day),
            rule.promotes_to or numbers.MISSING,
            _number(rule.promote_accesses),
            _number(rule.promote_importance),
            _span(rule.promote_age_s) if rule.promote_age_s is not None else numbers.MISSING,
        )
        for tier, rule in kept.items()
    ]
    yield from columns([head, *rows])


def order(found_: Order, *, would: bool) -> Iterator[str]:
    """Yield what was done to put a memory in order, or would be."""
    gone = sum(len(each.gone) for each in found_.merged)
    expired, merged, moved = (f"{len(each):,}" for each in (found_.expired, found_.merged, found_.moved))
    verb = "would be" if would else "were"
    yield f"{expired} past their time {verb} removed, {gone:,} merged into {merged}, {moved} moved on"
    lines = [
        *(f"  merged: {', '.join(each.gone)} into {each.kept.id}" for each in found_.merged),
        *(f"  moved: {each.piece.id} from {each.from_tier} to {each.piece.tier}" for each in found_.moved),
    ]
    yield from map(_plain, lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES:,} more"


def _row(piece: Piece, now_s: float) -> tuple[str, ...]:
    ends = numbers.MISSING if piece.expires_s is None else _span(piece.expires_s - now_s)
    cells = (piece.id, piece.tier, _when(piece.at_s), ends, str(piece.accesses))
    return (*map(_plain, cells), _cut(piece.text, _WIDTH))


def _when(at_s: float | None) -> str:
    if at_s is None:
        return numbers.MISSING
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return f"{at_s:.0f} s"


def _span(seconds: float | None) -> str:
    """Return a time in the largest unit that says it well."""
    if seconds is None:
        return "ever"
    if seconds < 0:
        return "over"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _count(n: int | None) -> str:
    return "any number" if n is None else f"{n:,}"


def _number(value: float | None) -> str:
    return numbers.MISSING if value is None else f"{value:.10g}"


def _cut(text: str, width: int) -> str:
    line = _plain(" ".join(text.split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def _plain(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _json(row: dict[str, object]) -> str:
    """Return a line of JSON in which what a terminal would obey is escaped, and no letter of a script is."""
    line = json.dumps(row, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)
