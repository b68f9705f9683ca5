"""A script survives its journey as a model's name, and says when its pieces are due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.selftest.script import Script

scripts = st.builds(
    Script,
    pieces=st.integers(1, 50),
    first_ms=st.floats(0, 1e4),
    gaps_ms=st.lists(st.floats(0, 1e4), min_size=1, max_size=4).map(tuple),
    tokens=st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple),
    texts=st.lists(st.text(), min_size=1, max_size=4).map(tuple),
    prompt_tokens=st.integers(0, 10**6),
    role=st.booleans(),
    usage=st.sampled_from(("end", "each", "never")),
)


@given(scripts)
def test_a_script_is_what_its_name_spells(script: Script) -> None:
    """Any text, any number."""
    assert Script.named(script.name) == script


@given(scripts)
def test_every_piece_has_a_time_a_text_and_tokens(script: Script) -> None:
    """Times never go back, and the tokens are those of the pieces."""
    assert len(script.due_ms) == script.pieces == len(list(script.contents()))
    assert list(script.due_ms) == sorted(script.due_ms)
    assert script.output_tokens == sum(tokens for _, tokens in script.contents())


def test_gaps_texts_and_tokens_go_round() -> None:
    """A short list stands for a long stream."""
    script = Script(pieces=4, first_ms=20, gaps_ms=(5, 100), tokens=(1, 3), texts=("a", "b", "c"))
    assert list(script.due_ms) == [20, 25, 125, 130]
    assert list(script.contents()) == [("a", 1), ("b", 3), ("c", 1), ("a", 3)]


@pytest.mark.parametrize("name", ["", "gemma", "[]", "{", '{"speed": 1}', '{"pieces": 0}', '{"pieces": "x"}'])
def test_a_name_that_spells_no_script_is_refused(name: str) -> None:
    """The message holds the name."""
    with pytest.raises(ValueError, match="is not the name of a script"):
        Script.named(name)


@pytest.mark.parametrize("empty", [{"pieces": 0}, {"gaps_ms": ()}, {"tokens": ()}, {"texts": ()}])
def test_a_stream_of_nothing_is_refused(empty: dict[str, object]) -> None:
    """There would be nothing to go round."""
    with pytest.raises(ValueError, match="at least one piece"):
        Script(**empty)  # type: ignore[arg-type]
