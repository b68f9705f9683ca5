"""The rule that holds items out is pure, and keeps out about one in eight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import heldout

TEXTS = st.lists(st.text(), min_size=1, max_size=4)


@given(TEXTS)
def test_the_same_item_is_always_on_the_same_side(parts: list[str]) -> None:
    """The rule depends on its arguments alone."""
    assert heldout.is_held_out("fact", *parts) == heldout.is_held_out("fact", *parts)


def test_one_item_in_eight_is_held_out() -> None:
    """Over 8000 sums the share is 1/8 within four standard deviations (0.0148)."""
    items = [heldout.is_held_out("sum", str(a), "+", str(b)) for a in range(100) for b in range(80)]
    assert abs(sum(items) / len(items) - 1 / 8) < 0.0148


def test_the_rule_is_the_published_one() -> None:
    """sha256 of kind and parts joined by U+001F, first eight bytes, big-endian, modulo 8."""
    import hashlib

    for value in ("Oslo", "Rome", "Tokyo", "Athens"):
        digest = hashlib.sha256(f"fact\x1flives\x1fAda\x1f{value}".encode()).hexdigest()
        assert heldout.is_held_out("fact", "lives", "Ada", value) == (int(digest[15], 16) % 8 == 0)


def test_an_item_without_parts_is_refused() -> None:
    """Nothing identifies it."""
    with pytest.raises(ValueError, match="give at least one text"):
        heldout.is_held_out("question")
