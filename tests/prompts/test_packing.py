"""Passages are packed as by trying one after the other, in fewer counts, and each has its reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gemma_eval
from gemma_eval.gemma import tokenizer
from gemma_eval.prompts import packing
from gemma_eval.prompts.build import build
from gemma_eval.prompts.packing import ordered, pack
from gemma_eval.prompts.templates import rag_context
from gemma_eval.records import Cell, Order, Packed, Passage, Prompt, Retrieval, Template
from tests.examples import a_cell

ORDERS: tuple[Order, ...] = ("best_first", "best_last", "edges", "chronological")
SENTENCES = st.lists(
    st.sampled_from(["Finn.", "Ada is old.", "Leo likes the sea!", "Mia 12,345"]), min_size=1, max_size=4
)
TEXTS = st.lists(SENTENCES.map(" ".join), max_size=7)
TIMES = st.none() | st.sampled_from([1.0, 2.0, math.nan])


def passages(*texts: str, times: Sequence[float | None] = ()) -> tuple[Passage, ...]:
    """Return ranked passages, p1, p2, …."""
    known = [*times, *[None] * len(texts)]
    return tuple(
        Passage(id=f"p{rank}", text=text, document="d", score=1 / rank, rank=rank, at_s=known[rank - 1])
        for rank, text in enumerate(texts, start=1)
    )


def words(text: str) -> int:
    """Count words."""
    return len(text.split())


def pairs(text: str) -> int:
    """Count pairs of letters across all borders, so that a joint can save a token."""
    return (len(text) + 1) // 2


@cache
def pocket() -> Callable[[str], int]:
    """Return what counts as the model that ships does."""
    known = tokenizer.load(Path(gemma_eval.__file__).parent / "pocket")
    return lambda text: len(known.encode(text))


def one_by_one(
    found: Sequence[Passage], *, budget: int, order: Order, count: Callable[[str], int], skips: bool = True
) -> list[str]:
    """Try one after the other, and count the whole context each time."""
    kept: list[Passage] = []
    for passage in found:
        if count(rag_context(ordered([*kept, passage], order))) <= budget:
            kept.append(passage)
        elif not skips:
            break
    return [each.id for each in ordered(kept, order)]


def ids(kept: Sequence[Passage]) -> list[str]:
    """Return the ids of passages."""
    return [each.id for each in kept]


@pytest.mark.parametrize("counter", ["words", "pairs", "pocket"])
@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(0, 120), st.sampled_from(ORDERS), st.data())
def test_what_is_kept_is_what_trying_one_after_the_other_keeps(
    counter: str, texts: list[str], budget: int, order: Order, data: st.DataObject
) -> None:
    """To the token, with the tokenizer of a model too; and each passage has one fate."""
    count = {"words": words, "pairs": pairs}.get(counter) or pocket()
    found = passages(*texts, times=data.draw(st.lists(TIMES, max_size=len(texts))))
    kept, packed = pack(found, retrieval=Retrieval(budget_tokens=budget, order=order), count_tokens=count)
    assert ids(kept) == one_by_one(found, budget=budget, order=order, count=count)
    assert count(rag_context(kept)) <= budget or not kept
    assert [each.passage for each in packed] == ids(found)
    assert {each.passage for each in packed if each.fate == "kept"} == set(ids(kept))
    assert all((each.reason == "fits") == (each.fate == "kept") for each in packed)


def test_stopping_at_the_first_misfit_is_noticed() -> None:
    """The oracle can fail."""
    found = passages("a b c d", "e f g h i", "j")
    kept, _ = pack(found, retrieval=Retrieval(budget_tokens=8), count_tokens=words)
    plain = one_by_one(found, budget=8, order="best_first", count=words)
    assert ids(kept) == plain == ["p1", "p3"]
    assert plain != one_by_one(found, budget=8, order="best_first", count=words, skips=False)


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        ("best_first", "123456"),
        ("best_last", "654321"),
        ("edges", "135642"),
        ("chronological", "263145"),
    ],
)
def test_passages_stand_in_the_order_that_is_asked_for(order: Order, numbers: str) -> None:
    """Edges has the worst in the middle; of unknown age is older than any, and equals stay by rank."""
    found = passages("a", "b", "c", "d", "e", "f", times=(4.0, None, 3.0, 4.0, 5.0, math.nan))
    assert "".join(each.id[1:] for each in ordered(found, order)) == numbers
    assert "".join(each.id[1:] for each in ordered(found[:5], "edges")) == "13542"
    for few in range(3):
        assert set(ordered(found[:few], order)) == set(found[:few])


@given(st.integers(0, 9), st.sampled_from(ORDERS))
def test_an_order_loses_nothing(n: int, order: Order) -> None:
    """And shows nothing twice."""
    found = passages(*"abcdefghi"[:n])
    assert sorted(ids(ordered(found, order))) == sorted(ids(found))


def test_the_reason_says_what_was_needed_and_what_was_left() -> None:
    """In the order of the ranks; tokens are those of the line alone."""
    found = passages("a b c", "d e f g", "h")
    _, packed = pack(found, retrieval=Retrieval(budget_tokens=7), count_tokens=words)
    assert packed == (
        Packed(passage="p1", fate="kept", reason="fits", n_tokens=4),
        Packed(
            passage="p2", fate="dropped", reason="needs 5 tokens, 3 of the budget of 7 are left", n_tokens=5
        ),
        Packed(passage="p3", fate="kept", reason="fits", n_tokens=2),
    )


@pytest.mark.parametrize("long_passage", ["drop", "cut"])
def test_a_budget_of_nothing_keeps_nothing(long_passage: str) -> None:
    """And says so of each."""
    way = Retrieval(budget_tokens=0, long_passage="cut" if long_passage == "cut" else "drop")
    kept, packed = pack(passages("a. b", "b"), retrieval=way, count_tokens=words)
    assert kept == ()
    assert [(each.fate, each.reason) for each in packed] == [
        ("dropped", "needs 3 tokens, 0 of the budget of 0 are left"),
        ("dropped", "needs 2 tokens, 0 of the budget of 0 are left"),
    ]
    assert pack((), retrieval=way, count_tokens=words) == ((), ())


def cut(text: str, budget: int, *, count: Callable[[str], int] = words) -> str | None:
    """Return what is kept of one passage that may be cut."""
    way = Retrieval(budget_tokens=budget, long_passage="cut")
    kept, packed = pack(passages(text), retrieval=way, count_tokens=count)
    if packed[0].fate == "cut":
        assert packed[0].n_tokens == count(rag_context(kept)) <= budget
        assert kept[0].id == packed[0].passage
    return kept[0].text if kept else None


@pytest.mark.parametrize(
    ("text", "budget", "left"),
    [
        ("Finn is old. Ada is not. Leo is.", 99, "Finn is old. Ada is not. Leo is."),
        ("Finn is old. Ada is not. Leo is.", 8, "Finn is old. Ada is not."),
        ("Finn is old. Ada is not. Leo is.", 7, "Finn is old. Ada is not."),
        ("Finn is old. Ada is not. Leo is.", 6, "Finn is old."),
        ("Finn is old. Ada is not. Leo is.", 3, None),
        ('He said "Go!" And went away.', 4, 'He said "Go!"'),
        ("Version 1.5 is old and long.", 4, None),
        ("one two three four five", 3, None),
    ],
)
def test_a_long_passage_is_cut_after_the_last_sentence_that_fits(
    text: str, budget: int, left: str | None
) -> None:
    """A number is no end of a sentence; where not one sentence fits the passage is dropped."""
    assert cut(text, budget) == left


def test_sentences_end_without_spaces_too() -> None:
    """As in Japanese."""
    assert cut("東京は大きい。大阪も大きい。", 5, count=pairs) == "東京は大きい。"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=40), st.integers(0, 60))
def test_as_many_sentences_are_kept_as_can_be(lengths: list[int], budget: int) -> None:
    """As by trying each number of them."""
    sentences = [" ".join(["w"] * length) + "." for length in lengths]
    fitting = [n for n in range(1, len(lengths) + 1) if 1 + sum(lengths[:n]) <= budget]
    expected = " ".join(sentences[: max(fitting)]) if fitting else None
    assert cut(" ".join(sentences), budget) == expected


def test_one_passage_is_cut_the_first_of_which_a_sentence_fits() -> None:
    """What comes after it is kept as far as it fits, whole."""
    found = passages("a b c", "d e f g h i. j", "k l. m n o p", "q r. s t u v w x y", "z")
    way = Retrieval(budget_tokens=10, long_passage="cut")
    kept, packed = pack(found, retrieval=way, count_tokens=words)
    assert [each.text for each in kept] == ["a b c", "k l.", "z"]
    assert [each.fate for each in packed] == ["kept", "dropped", "cut", "dropped", "kept"]
    assert packed[2].reason == "needs 7 tokens, 6 of the budget of 10 are left"


def test_a_passage_of_a_book_is_cut_without_counting_the_book_again_and_again() -> None:
    """Beside the once that it takes to see that it is too long."""
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text.split())

    book = "It was so. " * 20_000
    assert cut(book, 40, count=count) == " ".join(["It was so."] * 13)
    assert sum(counted) < 1.1 * len(book)


def test_ten_passages_that_fit_are_counted_once_together() -> None:
    """And once each: two times their length in all, where one after the other takes five times."""
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text.split())

    found = passages(*["a b c d e f g h"] * 10)
    kept, _ = pack(found, retrieval=Retrieval(budget_tokens=1000), count_tokens=count)
    whole = len(rag_context(kept))
    assert (len(kept), len(counted)) == (10, 11)
    assert sum(counted) <= 2 * whole


def test_a_thousand_passages_cost_little_more_when_few_of_them_fit() -> None:
    """What is far too long for what is left is not counted in its context."""
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text.split())

    found = passages(*["a " * 40] * 1000)
    kept, packed = pack(found, retrieval=Retrieval(budget_tokens=100), count_tokens=count)
    assert (len(kept), len(packed), len(counted)) == (2, 1000, 1001)


CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"


def built(
    found: Sequence[Passage],
    *,
    way: Retrieval,
    template: str = "{% for p in passages %}{{ p.number }}{{ p.text }};{% endfor %}|{{ rag_context }}",
    context_tokens: int | None = None,
) -> Prompt:
    """Build a prompt with a clock that counts in tens."""
    ticks = iter(range(0, 100, 10))
    cell: Cell = replace(a_cell(), template=Template(name="t", text=template), retrieval=way)
    return build(
        cell,
        passages=found,
        chat_template=CHAT,
        count_tokens=words,
        context_tokens=context_tokens,
        clock=lambda: next(ticks),
    )


def test_a_template_shows_passages_as_they_were_packed() -> None:
    """In their order, one of them cut; and the steps are stamped."""
    found = passages("a b", "c d. e f g h", "i")
    prompt = built(found, way=Retrieval(budget_tokens=8, order="edges", long_passage="cut"))
    assert prompt.messages[-1].content == "1a b;2i;3c d.;|- a b\n- i\n- c d."
    assert [each.text for each in prompt.passages] == ["a b", "i", "c d."]
    assert [each.fate for each in prompt.packing] == ["kept", "cut", "kept"]
    assert prompt.dropped == (found[1],), "what was found is known when it is judged again"
    assert [(each.name, each.began_ns, each.ended_ns, each.after) for each in prompt.steps] == [
        ("pack", 0, 10, ()),
        ("render", 10, 20, ("pack",)),
    ]


def test_without_a_clock_nothing_is_stamped() -> None:
    """And a prompt is the same otherwise."""
    found = passages("a b", "c")
    cell = replace(a_cell(), template=Template(name="t", text="{{ rag_context }}"))
    bare = build(cell, passages=found, chat_template=CHAT, count_tokens=words)
    assert bare.steps == ()
    assert bare == replace(built(found, way=Retrieval(), template="{{ rag_context }}"), steps=())


def test_a_template_without_passages_says_that_it_shows_none() -> None:
    """They were neither read nor too long, and nothing was packed."""
    prompt = built(passages("a", "b"), way=Retrieval(), template="{{ query }}")
    assert {(each.fate, each.reason) for each in prompt.packing} == {("dropped", packing.UNSHOWN)}
    assert (prompt.passages, prompt.dropped, prompt.steps) == ((), (), ())


@pytest.mark.parametrize("order", ORDERS)
def test_what_the_context_drops_is_told_from_what_the_budget_drops(order: Order) -> None:
    """The worst goes first in whatever order they stand; of one that was cut the whole is dropped."""
    found = passages("a b", "c d e f g h i j", "k l. m n o p q")
    way = Retrieval(budget_tokens=6, order=order, long_passage="cut", overflow="truncate")
    whole = built(found, way=way, template="{{ rag_context }} {{ query }}")
    assert [each.fate for each in whole.packing] == ["kept", "dropped", "cut"]
    room = (whole.n_tokens or 0) - 1 + a_cell().profile.max_tokens
    less = built(found, way=way, template="{{ rag_context }} {{ query }}", context_tokens=room)
    assert [each.text for each in less.passages] == ["a b"]
    assert [(each.fate, each.reason) for each in less.packing] == [
        ("kept", "fits"),
        ("dropped", "needs 9 tokens, 3 of the budget of 6 are left"),
        ("dropped", "the context of the model is full"),
    ]
    assert less.dropped == found[1:]


def test_of_twins_the_worse_one_is_gone() -> None:
    """A passage that was found twice has two fates."""
    twin = passages("a b")[0]
    way = Retrieval(overflow="truncate")
    whole = built([twin, twin], way=way, template="?{{ rag_context }}")
    room = (whole.n_tokens or 0) - 1 + a_cell().profile.max_tokens
    less = built([twin, twin], way=way, template="?{{ rag_context }}", context_tokens=room)
    assert [each.fate for each in less.packing] == ["kept", "dropped"]
    assert (less.passages, less.dropped) == ((twin,), (twin,))


def test_what_a_hostile_passage_says_is_data() -> None:
    """Syntax of a template in it is shown as it is, and makes nothing."""
    hostile = "{{ query }}{% for x in range(9) %}x{% endfor %}{# c #}"
    prompt = built(passages(hostile), way=Retrieval(), template="{{ rag_context }}")
    assert prompt.messages[-1].content == f"- {hostile}"
