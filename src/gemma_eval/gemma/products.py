"""Products with a weight matrix in which a row comes out the same, bit for bit, in whatever company it is.

Answers that are decoded together must be those that each would be alone, and a last bit can change a draw.
BLAS computes one row as a matrix-vector product and several as a matrix product, in sums of another order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from gemma_eval.gemma.tensors import Array

MOST_ROWS = 16
"""Up to this number of rows, a row of the product does not depend on the others."""
_SMALL_VALUES = 2**18
_BLOCK_VALUES = 2**18


Product = Callable[[Array], Array]
"""Multiplies rows [R, inputs] with one weight matrix; returns [R, outputs]."""


def product(weight: Array) -> Product:
    """Return the product with a weight matrix [outputs, inputs].

    A small one is a matrix product where this machine's BLAS gives a row the same bits in any number of them,
    from two upwards; that is tried out, for the kernels of some processors do and those of others do not.
    """
    if weight.size <= _SMALL_VALUES and _blas_keeps_rows(*weight.shape):
        return _AtOnce(weight)
    return _RowByRow(weight)


def forget_trials() -> None:
    """Try products out anew: what held with some number of BLAS threads need not hold with another."""
    _blas_keeps_rows.cache_clear()


def rows_are_independent(multiply: Product, rows: Array) -> bool:
    """Say whether each row comes out the same beside itself as in its place among the first 2, 3 … rows.

    Values of many digits are needed for it to be seen: sums in another order then differ in a last bit.
    """
    beside_itself = np.concatenate([multiply(np.stack([row, row]))[:1] for row in rows])
    return all(
        np.array_equal(multiply(rows[:count]), beside_itself[:count]) for count in range(2, len(rows) + 1)
    )


@lru_cache(maxsize=64)
def _blas_keeps_rows(outputs: int, inputs: int) -> bool:
    """Try out whether that holds for matrix products of this size, up to the most rows."""
    random = np.random.default_rng(outputs * inputs)
    weight = random.standard_normal((inputs, outputs), np.float32)
    rows = random.standard_normal((MOST_ROWS, inputs), np.float32)
    return rows_are_independent(lambda some: some @ weight, rows)


class _AtOnce:
    """All rows in one matrix product; a single row is doubled, so that it is computed as among others."""

    def __init__(self, weight: Array) -> None:
        self._weight = np.ascontiguousarray(weight.T)

    def __call__(self, rows: Array) -> Array:
        if len(rows) > 1:
            return rows @ self._weight
        pair = np.empty((2, rows.shape[1]), np.float32)
        pair[:] = rows
        return (pair @ self._weight)[:1]


class _RowByRow:
    """A matrix-vector product for each row, over a block of the weights while it is in the cache.

    What one row costs is the reading of the weights, and that is what the rows share. A single row shares
    nothing: it takes all weights at once, faster with several threads, where a trial gives the same bits.
    """

    def __init__(self, weight: Array) -> None:
        self._weight = weight
        outputs, inputs = weight.shape
        # kernels compute some outputs at a time and the rest in another way
        step = max(16, _BLOCK_VALUES // inputs // 16 * 16)
        self._blocks = [slice(start, start + step) for start in range(0, outputs, step)]
        row = np.random.default_rng(outputs).standard_normal((1, inputs), np.float32)
        with np.errstate(all="ignore"):  # weights that are broken are found when they are used
            self._whole_is_alike = np.array_equal(row @ weight.T, self._in_blocks(row))

    def __call__(self, rows: Array) -> Array:
        if len(rows) > MOST_ROWS or (len(rows) == 1 and self._whole_is_alike):
            return rows @ self._weight.T
        return self._in_blocks(rows)

    def _in_blocks(self, rows: Array) -> Array:
        result = np.empty((len(rows), len(self._weight)), np.float32)
        for block in self._blocks:
            np.matmul(rows[:, None], self._weight[block].T, out=result[:, None, block])
        return result
