"""The seam between prompt and continuation: lm-evaluation-harness's rule, and where a token would span it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.backends.seam import divided
from gemma_eval.gemma import tokenizer

POCKET = tokenizer.load(Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket")
TEXT = st.text(st.sampled_from("aOslo \n.é<"), max_size=12)


def theirs(prompt: str, continuation: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what lm-evaluation-harness reads: spaces moved, and the ids of both less those of the prompt."""
    n_spaces = len(prompt) - len(prompt.rstrip(" "))
    if n_spaces:
        prompt, continuation = prompt[:-n_spaces], prompt[-n_spaces:] + continuation
    before = POCKET.encode(prompt)
    return before, POCKET.encode(prompt + continuation)[len(before) :]


@given(TEXT, TEXT.filter(bool))
@settings(max_examples=200)
def test_ids_are_those_of_lm_evaluation_harness_where_no_token_spans_the_seam(
    prompt: str, continuation: str
) -> None:
    """Anywhere in a text, after a prompt that has more than spaces."""
    prompt = f"<bos>x{prompt}"
    before, tokens = divided(prompt, continuation, encode=POCKET.encode)
    whole = POCKET.encode(prompt + continuation)
    if whole[: len(before)] == before:
        assert (before, tokens) == theirs(prompt, continuation)
    assert POCKET.decode([*before, *tokens]) == POCKET.decode(list(whole))


@pytest.mark.parametrize(
    ("prompt", "continuation", "same_as"),
    [
        ("<bos>The key is in ", "the attic", ("<bos>The key is in", " the attic")),
        ("<bos>model\n", "Oslo", ("<bos>model\n", "Oslo")),
        ("<bos>Os", "lo", ("<bos>Os", "lo")),
    ],
)
def test_spaces_move_and_lines_stay(prompt: str, continuation: str, same_as: tuple[str, str]) -> None:
    """A chat prompt ends with a line, and an answer begins after it."""
    before, tokens = divided(prompt, continuation, encode=POCKET.encode)
    assert (before, tokens) == tuple(POCKET.encode(part) for part in same_as)


def test_the_rule_without_its_remedy_would_lose_tokens() -> None:
    """Where a token spans the seam, the ids of both less the prompt's are not the continuation."""
    before, tokens = divided("<bos>Os", "lo", encode=POCKET.encode)
    assert theirs("<bos>Os", "lo") != (before, tokens)
    assert POCKET.decode(list(tokens)) == "lo"
