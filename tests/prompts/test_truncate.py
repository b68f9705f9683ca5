"""A prompt that is too long loses the least important first, and no more than it must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import ContextOverflow
from gemma_eval.prompts.budget import answer_tokens
from gemma_eval.prompts.build import build
from gemma_eval.records import Cell, Message, Passage, Prompt, Retrieval, Template
from tests.examples import a_case, a_cell

CHAT = "{% for m in messages %}{{ m.role }} {{ m.content }}\n{% endfor %}model"
TALK = (
    Message(role="system", content="be short"),
    Message(role="user", content="one two"),
    Message(role="assistant", content="three"),
    Message(role="user", content="four"),
    Message(role="assistant", content="five six seven"),
    Message(role="user", content="why now"),
)
FOUND = tuple(
    Passage(id=str(rank), text=text, document="d", score=1 / rank, rank=rank)
    for rank, text in enumerate(("a b", "c", "d e f"), start=1)
)


def count_words(text: str) -> int:
    """Count words, as a tokenizer would count tokens."""
    return len(text.split())


def cell_of(
    messages: Sequence[Message] = TALK,
    *,
    overflow: str = "truncate",
    template: str = "{{ rag_context }} {{ query }}",
) -> Cell:
    """Return a cell with these turns."""
    retrieval = Retrieval(overflow="truncate" if overflow == "truncate" else "error")
    cell = replace(a_cell(), case=a_case(messages=tuple(messages)), retrieval=retrieval)
    return replace(cell, template=Template(name="t", text=template))


def made(cell: Cell, limit: int | None, *, passages: Sequence[Passage] = FOUND) -> Prompt:
    """Build a prompt of at most `limit` words, beside the answer."""
    context = None if limit is None else limit + answer_tokens(cell, count_tokens=count_words)
    return build(
        cell, passages=passages, chat_template=CHAT, count_tokens=count_words, context_tokens=context
    )


WHOLE = made(cell_of(), None)
TOKENS = WHOLE.n_tokens or 0


@pytest.mark.parametrize(
    ("less", "passages", "first_turn", "dropped_turns"),
    [
        (0, ["a b", "c", "d e f"], "one two", 0),
        (1, ["a b", "c"], "one two", 0),
        (4, ["a b", "c"], "one two", 0),
        (5, ["a b"], "one two", 0),
        (6, ["a b"], "one two", 0),
        (7, [], "one two", 0),
        (10, [], "four", 2),
        (15, [], "why now", 4),
    ],
)
def test_passages_go_before_turns_and_the_worst_and_earliest_first(
    less: int, passages: list[str], first_turn: str, dropped_turns: int
) -> None:
    """What is missing to the limit decides how much goes; the system turn and the question stay."""
    prompt = made(cell_of(), TOKENS - less)
    assert [passage.text for passage in prompt.passages] == passages
    assert prompt.dropped == FOUND[len(passages) :]
    assert prompt.dropped_turns == dropped_turns
    assert prompt.messages[0] == TALK[0]
    assert prompt.messages[1].content.strip() == first_turn
    assert (prompt.n_tokens or 0) <= TOKENS - less


def test_what_fits_is_left_alone() -> None:
    """At the limit to the token, and without a limit."""
    assert made(cell_of(), TOKENS) == WHOLE
    assert (WHOLE.dropped, WHOLE.dropped_turns) == ((), 0)


def test_only_a_suite_that_allows_it_loses_anything() -> None:
    """Without `overflow = "truncate"` the engine says that the prompt is too long."""
    assert made(cell_of(overflow="error"), 1) == WHOLE


def test_a_question_that_is_too_long_by_itself_is_an_overflow() -> None:
    """With both counts, the answer included, and the options that still help."""
    cell = cell_of()
    shortest = count_words(f"system be short\nuser {TALK[-1].content}\nmodel")
    assert made(cell, shortest).messages == (TALK[0], Message(role="user", content=" why now"))
    with pytest.raises(ContextOverflow) as caught:
        made(cell, shortest - 1)
    answer = cell.profile.max_tokens
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (
        shortest + answer,
        shortest - 1 + answer,
    )
    for option in ("max_tokens", "context_tokens", "rope_scaling"):
        assert option in str(caught.value)
    for spent in ("budget_tokens", "truncate"):
        assert spent not in str(caught.value)


def test_a_text_that_is_read_needs_no_room_for_an_answer_but_its_own() -> None:
    """The limit that is named is the context."""
    cell = cell_of()
    cell = replace(cell, case=replace(cell.case, continuation="in Oslo today"))
    with pytest.raises(ContextOverflow) as caught:
        made(cell, 1)
    assert caught.value.limit_tokens == 1 + 3


def test_turns_that_were_left_out_are_not_shown_again() -> None:
    """`rag_recent` shows the conversation that there is."""
    cell = cell_of(template="{{ rag_recent }} / {{ query }}")
    prompt = made(cell, 20)
    assert prompt.dropped_turns == 2
    assert "one two" not in (prompt.text or "")
    assert prompt.messages[-1].content.startswith("user: four\nassistant: five")


def test_what_the_budget_dropped_and_what_the_context_dropped_are_one_record() -> None:
    """In the order of their ranks."""
    cell = cell_of()
    cell = replace(cell, retrieval=replace(cell.retrieval, budget_tokens=6))
    whole = made(cell, None)
    assert [passage.text for passage in whole.dropped] == ["d e f"]
    prompt = made(cell, (whole.n_tokens or 0) - 1)
    assert [passage.text for passage in prompt.passages] == ["a b"]
    assert [passage.text for passage in prompt.dropped] == ["c", "d e f"]


def test_the_worst_goes_first_in_whatever_order_passages_are_shown() -> None:
    """The rank decides, and those that stay keep their order."""
    prompt = made(cell_of(), TOKENS - 1, passages=FOUND[::-1])
    assert [passage.text for passage in prompt.passages] == ["c", "a b"]


def test_without_a_count_nothing_is_left_out() -> None:
    """An engine that applies its own chat markup checks the length itself, however long an answer may be."""
    prompt = build(cell_of(), passages=FOUND, chat_template=None, count_tokens=count_words, context_tokens=1)
    assert (prompt.passages, prompt.dropped_turns) == (FOUND, 0)


def test_of_passages_that_are_alike_one_is_left_out() -> None:
    """What is kept and what is dropped are together what was found."""
    twins = (FOUND[1], FOUND[1], FOUND[1])
    whole = made(cell_of(), None, passages=twins)
    prompt = made(cell_of(), (whole.n_tokens or 0) - 1, passages=twins)
    assert (len(prompt.passages), len(prompt.dropped)) == (2, 1)


def test_a_thousand_passages_are_tried_in_a_dozen_prompts() -> None:
    """The search halves, and a choice that is not looked at costs nothing."""
    counted: list[int] = []

    def count(text: str) -> int:
        if text.startswith("system"):
            counted.append(len(text))
        return len(text.split())

    many = tuple(
        Passage(id=str(rank), text=f"p{rank}", document="d", score=1 / rank, rank=rank)
        for rank in range(1, 1001)
    )
    cell = cell_of()
    cell = replace(cell, retrieval=replace(cell.retrieval, budget_tokens=10_000))
    prompt = build(cell, passages=many, chat_template=CHAT, count_tokens=count, context_tokens=1000)
    assert 400 < len(prompt.passages) < 500
    assert len(counted) <= 13


def one_by_one(cell: Cell, passages: Sequence[Passage], limit: int) -> tuple[int, int] | None:
    """Return how many passages and turns stay, by leaving out one thing after the other."""
    turns = cell.case.messages
    kept = list(passages)
    while True:
        prompt = made(replace(cell, case=replace(cell.case, messages=turns)), None, passages=kept)
        if (prompt.n_tokens or 0) <= limit:
            return len(kept), len(turns)
        if kept:
            kept.pop()
        elif len(turns) > 1:
            turns = turns[1:]
            while turns[0].role != "user":
                turns = turns[1:]
        else:
            return None


@given(
    lengths=st.lists(st.integers(1, 9), max_size=6),
    exchanges=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=6),
    limit=st.integers(1, 120),
)
def test_no_more_is_left_out_than_one_by_one(
    lengths: list[int], exchanges: list[tuple[int, int]], limit: int
) -> None:
    """The search finds what leaving out one thing after the other finds."""
    passages = tuple(
        Passage(id=str(rank), text="p " * length, document="d", score=1 / rank, rank=rank)
        for rank, length in enumerate(lengths, start=1)
    )
    turns: list[Message] = []
    for asked, answered in exchanges:
        turns.append(Message(role="user", content="w " * asked))
        turns.append(Message(role="assistant", content="w " * answered))
    cell = cell_of([*turns, Message(role="user", content="why")])
    expected = one_by_one(cell, passages, limit)
    try:
        prompt = made(cell, limit, passages=passages)
    except ContextOverflow:
        assert expected is None
        return
    assert (len(prompt.passages), len(prompt.messages)) == expected
    assert len(prompt.dropped) == len(passages) - len(prompt.passages)
