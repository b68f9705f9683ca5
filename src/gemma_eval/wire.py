"""Records as plain builtin values and back, for the store, for JSON files and for other processes."""

from __future__ import annotations

import math
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from gemma_eval.errors import StoreError
from gemma_eval.records import Channel, Delta, Outcome

Plain = None | bool | int | float | str | bytes | Sequence["Plain"] | Mapping[str, "Plain"]
R = TypeVar("R")
_adapters: dict[type, TypeAdapter[Any]] = {}
_fields: dict[type, tuple[str, ...] | None] = {}


def dump(record: object) -> dict[str, Plain]:
    """Return a record as dicts, lists and scalars for JSON. Raises StoreError on NaN or infinity."""
    return cast(dict[str, Plain], _plain(record))


def load(kind: type[R], plain: object) -> R:
    """Rebuild a record from `dump`. Raises StoreError when `plain` is not such a record."""
    try:
        return _adapter(kind).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{kind.__name__}: {where}: {first['msg']}") from error


def pack_deltas(deltas: Sequence[Delta]) -> bytes:
    """Pack stamps, token counts, lengths of texts and channels; the texts themselves stay outside.

    The columns are 64-bit integers, the stamps as differences, which zlib makes some five bytes per delta.
    """
    stamps = [delta.at_ns for delta in deltas]
    columns = array("q", [len(deltas)])
    columns.extend(_within_64_bits(later - earlier) for earlier, later in pairwise([0, *stamps]))
    columns.extend(_UNKNOWN if delta.n_tokens is None else delta.n_tokens for delta in deltas)
    columns.extend(len(delta.text) for delta in deltas)
    columns.extend(_CHANNELS.index(delta.channel) for delta in deltas)
    return zlib.compress(_by_byte(columns.tobytes()), level=6)


def unpack_deltas(packed: bytes, texts: Mapping[Channel, str]) -> tuple[Delta, ...]:
    """Rebuild the deltas of an answer from the whole text of each channel. Raises StoreError."""
    columns, n = _columns(packed)
    first, counts, lengths, channels = (columns[1 + i * n : 1 + (i + 1) * n] for i in range(4))
    places: dict[Channel, int] = dict.fromkeys(_CHANNELS, 0)
    deltas, at_ns = [], 0
    for difference, count, length, number in zip(first, counts, lengths, channels, strict=True):
        channel, at_ns = _CHANNELS[number], _within_64_bits(at_ns + difference)
        text = texts.get(channel, "")[places[channel] : places[channel] + length]
        places[channel] += length
        n_tokens = None if count == _UNKNOWN else count
        deltas.append(Delta(text=text, n_tokens=n_tokens, at_ns=at_ns, channel=channel))
    if any(places[channel] != len(texts.get(channel, "")) for channel in _CHANNELS):
        raise StoreError("the stamps of a generation do not fit its text")
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
        texts: dict[Channel, str] = {
            channel: cast(str, generation.get(name, "")) for channel, name in _TEXTS.items()
        }
        deltas = unpack_deltas(cast(bytes, generation["deltas"]), texts)
        whole["generation"] = {**generation, "deltas": deltas}
    return load(Outcome, whole)


_UNKNOWN = -1
_TEXTS: Mapping[Channel, str] = {"output": "text", "reasoning": "reasoning", "tool_call": "tool_calls"}
"""The field of a generation that holds the text of each channel."""
_CHANNELS: tuple[Channel, ...] = tuple(_TEXTS)
_WIDTH = 8


def _within_64_bits(number: int) -> int:
    """Wrap a number round as a processor would, so that no difference of two stamps is too large."""
    return (number + 2**63) % 2**64 - 2**63


def _by_byte(data: bytes) -> bytes:
    """Put the first bytes of all integers together, then the second ones: most of them are zeros."""
    return b"".join(data[place::_WIDTH] for place in range(_WIDTH))


def _columns(packed: bytes) -> tuple[array[int], int]:
    """Return the columns of packed deltas and their length; those of a first version lack the channels."""
    columns = array("q")
    try:
        if _is_uncompressed(packed):
            columns.frombytes(packed)
            columns.extend([0] * columns[0])
            stamps = columns[1 : 1 + columns[0]]
            differences = (_within_64_bits(later - earlier) for earlier, later in pairwise([0, *stamps]))
            columns[1 : 1 + columns[0]] = array("q", differences)
        else:
            data = zlib.decompress(packed)
            columns.frombytes(b"".join(map(bytes, zip(*_planes(data), strict=True))))
        n = columns[0]
    except (ValueError, IndexError, OverflowError, zlib.error) as error:
        raise StoreError("the stamps of a generation are damaged") from error
    if (
        n < 0
        or len(columns) != 1 + 4 * n
        or any(not 0 <= each < len(_CHANNELS) for each in columns[1 + 3 * n :])
    ):
        raise StoreError("the stamps of a generation are damaged")
    return columns, n


def _is_uncompressed(packed: bytes) -> bool:
    n = int.from_bytes(packed[:_WIDTH], sys.byteorder, signed=True)
    return len(packed) == _WIDTH * (1 + 3 * n)


def _planes(data: bytes) -> list[bytes]:
    size = len(data) // _WIDTH
    return [data[place * size : (place + 1) * size] for place in range(_WIDTH)]


def _adapter(kind: type[R]) -> TypeAdapter[R]:
    """Return the adapter of a record, built once: building one costs milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _names(value: object) -> tuple[str, ...] | None:
    """Return the names of the fields of a record, asked for once for each kind; `None` for what is none."""
    kind = type(value)
    if kind not in _fields:
        _fields[kind] = tuple(each.name for each in fields(kind)) if is_dataclass(kind) else None
    return _fields[kind]


def _plain(value: object) -> Plain:
    """Turn NumPy scalars into builtin ones and tuples into lists; refuse what JSON cannot carry."""
    if value is None or isinstance(value, bool | str | bytes):
        return value
    if (names := _names(value)) is not None:
        return {name: _plain(getattr(value, name)) for name in names}
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
