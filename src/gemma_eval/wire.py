"""Records as plain builtin values and back, for the store, for JSON files and for other processes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from gemma_eval.errors import StoreError
from gemma_eval.records import Delta, Outcome

Plain = None | bool | int | float | str | bytes | Sequence["Plain"] | Mapping[str, "Plain"]
R = TypeVar("R")
_adapters: dict[type, TypeAdapter[Any]] = {}


def dump(record: object) -> dict[str, Plain]:
    """Return a record as dicts, lists and scalars for JSON. Raises StoreError on NaN or infinity."""
    plain = _plain(asdict(record))  # type: ignore[call-overload]
    return cast(dict[str, Plain], plain)


def load(kind: type[R], plain: object) -> R:
    """Rebuild a record from `dump`. Raises StoreError when `plain` is not such a record."""
    try:
        return _adapter(kind).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{kind.__name__}: {where}: {first['msg']}") from error


def pack_deltas(deltas: Sequence[Delta]) -> bytes:
    """Pack stamps, token counts (-1: unknown) and text lengths as int64 columns; the text stays outside."""
    columns = array("q", [len(deltas)])
    columns.extend(delta.at_ns for delta in deltas)
    columns.extend(-1 if delta.n_tokens is None else delta.n_tokens for delta in deltas)
    columns.extend(len(delta.text) for delta in deltas)
    return columns.tobytes()


def unpack_deltas(packed: bytes, text: str) -> tuple[Delta, ...]:
    """Rebuild the deltas of an answer whose whole text is `text`. Raises StoreError when they do not fit."""
    columns = array("q")
    try:
        columns.frombytes(packed)
        n = columns[0]
        stamps, counts, lengths = (columns[1 + i * n : 1 + (i + 1) * n] for i in range(3))
    except (ValueError, IndexError) as error:
        raise StoreError("the stamps of a generation are damaged") from error
    if len(columns) != 1 + 3 * n or sum(lengths) != len(text):
        raise StoreError("the stamps of a generation do not fit its text")
    deltas, start = [], 0
    for at_ns, count, length in zip(stamps, counts, lengths, strict=True):
        piece = text[start : start + length]
        deltas.append(Delta(text=piece, n_tokens=None if count < 0 else count, at_ns=at_ns))
        start += length
    return tuple(deltas)


def dump_outcome(outcome: Outcome) -> dict[str, Plain]:
    """Return an outcome as builtin values, with the deltas packed: what crosses from a worker."""
    plain = dump(outcome)
    if outcome.generation is not None:
        generation = cast(dict[str, Plain], plain["generation"])
        generation["deltas"] = pack_deltas(outcome.generation.deltas)
    return plain


def load_outcome(plain: Mapping[str, Plain]) -> Outcome:
    """Rebuild an outcome from `dump_outcome`. Raises StoreError when `plain` is not such an outcome."""
    whole: dict[str, object] = dict(plain)
    generation = plain.get("generation")
    if isinstance(generation, Mapping) and isinstance(generation.get("deltas"), bytes):
        deltas = unpack_deltas(cast(bytes, generation["deltas"]), cast(str, generation["text"]))
        whole["generation"] = {**generation, "deltas": deltas}
    return load(Outcome, whole)


def _adapter(kind: type[R]) -> TypeAdapter[R]:
    """Return the adapter of a record, built once: building one costs milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _plain(value: object) -> Plain:
    """Turn NumPy scalars into builtin ones and tuples into lists; refuse what JSON cannot carry."""
    if value is None or isinstance(value, bool | str | bytes):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    item = getattr(value, "item", None)
    number = item() if callable(item) else value
    if isinstance(number, int):
        return int(number)
    if isinstance(number, float) and math.isfinite(number):
        return float(number)
    raise StoreError(f"{value!r} cannot be stored: a record holds finite numbers, text and None")
