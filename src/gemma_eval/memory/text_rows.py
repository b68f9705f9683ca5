"""A row of JSON that is a passage: `{"id": …, "text": …}`, with what else may be said of one.

The rows of BEIR's corpora (`_id`, `title`, `text`, `metadata`) are such rows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import cast, get_args

from gemma_eval.errors import suggestion
from gemma_eval.files.read import ReadError
from gemma_eval.memory.passages import Splitting, id_of, parts
from gemma_eval.records import MemoryTier, Piece

KEYS = ("id", "_id", "text", "title", "source", "time", "importance", "tier", "tags")
"""What is read of a row; others are left alone, unless they look like one of these misspelt."""
EXPORTED = "gemma_eval_memory"
"""The key by which the first line of an export is known."""
LONGEST_ID = 512
_LIKE = 0.8
_YEAR_1_S, _YEAR_10000_S = -62_135_596_800, 253_402_300_800


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A passage that a row gives, and whether the row named it."""

    piece: Piece
    has_id: bool

    def passages(self, splitting: Splitting) -> Iterator[Piece]:
        """Yield the passage, or its parts where it is to have fewer tokens.

        The parts are numbered, `id#1`. Where the row named it they have its id as their document, so that a
        judgement by it holds; else they stay of their document, so that who replaces that finds them.
        """
        if splitting.max_tokens is None or splitting.fits(self.piece.text):
            yield self.piece
            return
        text = " ".join(self.piece.text.split())
        for number, part in enumerate(parts(text, splitting), start=1):
            id_ = f"{self.piece.id}#{number}"
            document = self.piece.id if self.has_id else self.piece.document
            yield replace(self.piece, id=id_, text=part, document=document)


def row_of(text: str, *, document: str) -> Row:
    """Return the passage of one line of a file called `document`. Raises ReadError."""
    row = _table(text)
    _refuse_misspelt(row)
    words = _text(row)
    source = _string(row, "source") or document
    given = _id(row)
    piece = Piece(
        id=id_of(source, words) if given is None else given,
        text=words,
        document=source,
        tier=_tier(row),
        at_s=_time(row),
        importance=_importance(row),
        tags=_tags(row),
    )
    if any("\0" in part for part in (piece.id, piece.text, piece.document, *piece.tags)):
        raise ReadError("has a NUL character, which no prompt can hold")
    return Row(piece=piece, has_id=given is not None)


def _table(text: str) -> Mapping[str, object]:
    try:
        row = json.loads(text, object_pairs_hook=_unique)
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ReadError("has half of a surrogate pair") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"is not a row of JSON: {getattr(error, 'msg', error)}") from error
    if not isinstance(row, dict):
        raise ReadError('is no row: write {"id": "…", "text": "…"} on one line')
    if EXPORTED in row:
        raise ReadError("is an export of a memory; gemma-eval memory import keeps it")
    return cast(Mapping[str, object], row)


def _unique(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    """Return a table of JSON. Raises ReadError for a key that is given twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise ReadError(f'gives "{twice}" twice; which one holds cannot be told')
    return table


def _refuse_misspelt(row: Mapping[str, object]) -> None:
    for key in row:
        if key not in KEYS and get_close_matches(key, KEYS, n=1, cutoff=_LIKE):
            raise ReadError(f'no key "{key}" is read{suggestion(key, KEYS)}')


def _text(row: Mapping[str, object]) -> str:
    text, title = _string(row, "text"), (_string(row, "title") or "").strip()
    if text is None or not (text.strip() or title):
        raise ReadError("has no text: a passage needs one")
    if not title or not text.strip():
        return title or text
    return f"{title} {text}" if title[-1] in ".!?:…" else f"{title}. {text}"


def _id(row: Mapping[str, object]) -> str | None:
    if "id" in row and "_id" in row:
        raise ReadError("has both id and _id; give one of them")
    given = row.get("id", row.get("_id"))
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if given is not None and not (isinstance(given, str) and 0 < len(given) <= LONGEST_ID):
        raise ReadError(f"id is a text of 1 to {LONGEST_ID} characters, or a number")
    return given


def _string(row: Mapping[str, object], key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise ReadError(f"{key} is a text")
    return value


def _tier(row: Mapping[str, object]) -> MemoryTier:
    tier = row.get("tier", "semantic")
    if tier not in get_args(MemoryTier):
        raise ReadError(f'no tier named "{tier}"{suggestion(str(tier), get_args(MemoryTier))}')
    return cast(MemoryTier, tier)


def _importance(row: Mapping[str, object]) -> float:
    value = row.get("importance", 0.5)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ReadError("importance is a number from 0 to 1")
    return float(value)


def _time(row: Mapping[str, object]) -> float | None:
    value = row.get("time")
    if value is None:
        return None
    if isinstance(value, str):
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            when = None
        if when is not None:
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    elif not isinstance(value, bool) and isinstance(value, int | float) and _in_calendar(value):
        return float(value)
    raise ReadError('time is a date, as "2026-11-29" or "2026-11-29T10:00:00Z", or seconds since 1970 (UTC)')


def _in_calendar(seconds: float) -> bool:
    """Whether a time lies in a year that has four digits: one in milliseconds does not."""
    return _YEAR_1_S <= seconds < _YEAR_10000_S


def _tags(row: Mapping[str, object]) -> tuple[str, ...]:
    value = row.get("tags", [])
    if not isinstance(value, list) or not all(isinstance(tag, str) and tag for tag in value):
        raise ReadError('tags is a list of texts, as ["a", "b"]')
    return tuple(value)
