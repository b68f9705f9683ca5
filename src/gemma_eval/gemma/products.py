"""Products with a weight matrix in which a row comes out the same, bit for bit, in whatever company it is.

Answers that are decoded together must be those that each would be alone, and a last bit can change a draw.
BLAS computes one row as a matrix-vector product and several as a matrix product, in sums of another order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np

from gemma_eval.gemma.tensors import Array

MOST_ROWS = 16
"""Up to this number of rows, a row of the product does not depend on the others."""
_SMALL_VALUES = 2**18
_BLOCK_VALUES = 2**18


class Product(Protocol):
    """Multiplies rows with one weight matrix."""

    def __call__(self, rows: Array) -> Array:
        """Return [R, outputs] for rows [R, inputs]."""


def product(weight: Array) -> Product:
    """Return the product with a weight matrix [outputs, inputs].

    A small one is a matrix product where this machine's BLAS gives a row the same bits in any number of them,
    from two upwards; that is tried out, for the kernels of some processors do and those of others do not.
    """
    if weight.size <= _SMALL_VALUES and rows_are_independent(*weight.shape):
        return _AtOnce(weight)
    return _RowByRow(weight)


@lru_cache(maxsize=64)
def rows_are_independent(outputs: int, inputs: int) -> bool:
    """Say whether rows of a matrix product of this size depend neither on their number nor on their place."""
    random = np.random.default_rng(outputs * inputs)
    weight = random.standard_normal((inputs, outputs), np.float32)
    rows = random.standard_normal((MOST_ROWS, inputs), np.float32)
    pairs = np.stack([np.stack([row, row]) @ weight for row in rows])[:, 0]
    return all(np.array_equal(rows[:count] @ weight, pairs[:count]) for count in range(2, MOST_ROWS + 1))


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

    What one row costs is the reading of the weights, and that is what the rows share.
    """

    def __init__(self, weight: Array) -> None:
        self._weight = weight
        step = max(1, _BLOCK_VALUES // weight.shape[1])
        self._blocks = [slice(start, start + step) for start in range(0, len(weight), step)]

    def __call__(self, rows: Array) -> Array:
        if len(rows) > MOST_ROWS:
            return rows @ self._weight.T
        result = np.empty((len(rows), len(self._weight)), np.float32)
        for block in self._blocks:
            np.matmul(rows[:, None], self._weight[block].T, out=result[:, None, block])
        return result
