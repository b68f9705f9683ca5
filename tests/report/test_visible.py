"""Text from elsewhere on a page."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.report.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, new\nline\tand tab", "plain text, new\nline\tand tab"),
        ("\x1b[2J", "␛[2J"),
        ("a\x00b\x7f", "a␀b␡"),
        ("\r\n", "␍\n"),
        ("\x9b31m", "\\u009b31m"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\udc80", "\\udc80"),
        ("👩\u200d🚀 é 中文 שלום", "👩\u200d🚀 é 中文 שלום"),
    ],
)
def test_what_acts_unseen_is_shown(text: str, shown: str) -> None:
    """Controls become pictures or escapes; letters of every script and joined emoji stay."""
    assert visible(text) == shown


@given(st.text(st.characters()))
@settings(deadline=None)
def test_nothing_that_acts_is_left(text: str) -> None:
    """What comes out can be written as UTF-8, holds no control but newline and tab, and stays as it is."""
    shown = visible(text)
    shown.encode("utf-8")
    assert not [each for each in shown if unicodedata.category(each) == "Cc" and each not in "\n\t"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert visible(shown) == shown
