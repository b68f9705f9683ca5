"""A row of a product is the same, bit for bit, alone, beside others, and in any place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemma_eval.gemma import decode, products
from gemma_eval.gemma.products import MOST_ROWS, Product, product, rows_are_independent
from gemma_eval.gemma.tensors import Array
from tests.gemma.tiny import write_model

POCKET = [(256, 128), (128, 128), (768, 128), (128, 384), (1856, 128)]
"""Outputs and inputs of the matrices of the model that ships."""
LARGER = [(1536, 640), (640, 2048), (4099, 640)]
"""Sizes that are computed row by row, the last with a block that is not whole."""


def random(*shape: int, seed: int = 1) -> Array:
    """Return random values."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def alone(multiply: Product, rows: Array) -> Array:
    """Return the product of each row by itself."""
    return np.concatenate([multiply(row[None]) for row in rows])


@pytest.mark.parametrize(("outputs", "inputs"), POCKET + LARGER)
def test_a_row_is_the_same_in_any_company(outputs: int, inputs: int) -> None:
    """Alone, as each of 2 to 16 rows, and with the rows in another order."""
    multiply, rows = product(random(outputs, inputs)), random(MOST_ROWS, inputs, seed=2)
    expected = alone(multiply, rows)
    for count in range(1, MOST_ROWS + 1):
        np.testing.assert_array_equal(multiply(rows[:count]), expected[:count])
        np.testing.assert_array_equal(multiply(rows[:count][::-1].copy()), expected[:count][::-1])


@pytest.mark.parametrize(("outputs", "inputs"), POCKET + LARGER)
def test_a_product_is_the_sum_of_products(outputs: int, inputs: int) -> None:
    """Against float64, for one row, for some and for more than go together."""
    weight, rows = random(outputs, inputs), random(3 * MOST_ROWS, inputs, seed=2)
    expected = rows.astype(np.float64) @ weight.T.astype(np.float64)
    for count in (1, 5, len(rows)):
        np.testing.assert_allclose(product(weight)(rows[:count]), expected[:count], atol=2e-3)


def test_every_model_tries_out_its_products_with_its_own_threads(tmp_path: Path) -> None:
    """A trial that another model made, maybe with another number of threads, is not believed."""
    decode.load(write_model(tmp_path))
    first = products._blas_keeps_rows.cache_info()
    decode.load(tmp_path)
    again = products._blas_keeps_rows.cache_info()
    assert first.misses == again.misses > 0
    assert first.hits == again.hits > 0


def test_another_order_of_the_sum_is_seen() -> None:
    """The check fails for products that add from the other end when there are more than two rows."""
    weight, rows = random(128, 256), random(4, 128, seed=2)

    def backwards_in_company(some: Array) -> Array:
        turn = slice(None, None, -1) if len(some) > 2 else slice(None)
        return np.stack([np.cumsum(row[turn, None] * weight[turn], axis=0)[-1] for row in some])

    assert not rows_are_independent(backwards_in_company, rows)
    assert rows_are_independent(lambda some: np.stack([row @ weight for row in some]), rows)


def test_a_place_that_matters_is_seen() -> None:
    """The check fails for products in which one place is computed with a bit less."""
    weight, rows = random(128, 256), random(4, 128, seed=2)

    def last_bit_lost(some: Array) -> Array:
        result = np.stack([row @ weight for row in some])
        result[3:] = np.nextafter(result[3:], np.float32(0))
        return result

    assert not rows_are_independent(last_bit_lost, rows)
