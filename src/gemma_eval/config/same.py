"""Whether two plain values are the same, where 1, 1.0 and true are three."""

from __future__ import annotations

from collections.abc import Mapping


def same(one: object, other: object) -> bool:
    """Whether both have the same types and values all the way down; the order of keys does not count."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or repr(one) == repr(other))
