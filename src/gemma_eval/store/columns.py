"""Text and records as column values, exactly: what is read back is what was written."""

from __future__ import annotations

import hashlib
import json
import re

from gemma_eval.wire import Plain

Column = str | bytes
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")


def from_text(text: str) -> Column:
    """Return `text`, or its bytes when it holds NUL or a lone surrogate, which SQL text cannot."""
    return text.encode("utf-8", "surrogatepass") if _UNREADABLE.search(text) else text


def to_text(column: Column) -> str:
    """Undo `from_text`."""
    return column.decode("utf-8", "surrogatepass") if isinstance(column, bytes) else column


def from_plain(plain: Plain) -> Column:
    """Return builtin values as JSON with sorted keys, so that equal values are equal columns."""
    return from_text(json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def to_plain(column: Column) -> Plain:
    """Undo `from_plain`; tuples come back as lists."""
    plain: Plain = json.loads(to_text(column))
    return plain


def readable(text: str) -> str:
    """Return `text` for a column that people search, with U+FFFD for what SQL text cannot hold."""
    return _UNREADABLE.sub("\ufffd", text)


def digest(*columns: Column | None) -> str:
    """Return one SHA-256 over several columns, in which no byte can move from one to the next."""
    whole = hashlib.sha256()
    for column in columns:
        # A damaged file may give a number where text was written: it hashes to something, and not the same.
        part = column if isinstance(column, bytes) else str(column).encode("utf-8", "surrogatepass")
        whole.update(b"\x00" * 32 if column is None else hashlib.sha256(part).digest())
    return whole.hexdigest()
