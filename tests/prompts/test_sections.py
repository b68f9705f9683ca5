"""Each piece of a prompt is told where it comes from, surely or not at all, and counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.prompts import sections
from gemma_eval.prompts.build import build
from gemma_eval.prompts.sections import Piece, Section
from gemma_eval.records import Cell, Message, Passage, Prompt, Retrieval, Template
from tests.examples import a_case, a_cell

CHAT = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</{{ m.role }}>{% endfor %}"
    "{% if add_generation_prompt %}<model>{% endif %}"
)
CITED = (
    "{% for p in passages %}\n[{{ p.number }}] {{ p.text }} ({{ p.document }})\n{% endfor %}\n"
    "Ask: {{ query }}"
)
PASSAGES = tuple(
    Passage(id=str(rank), text=text, document="d", score=1.0, rank=rank)
    for rank, text in enumerate(("Finn lives in Oslo.", "Ada lives in Rome."), start=1)
)
TURNS = (
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hi"),
    Message(role="user", content="Where?"),
)


def a_prompt(
    text: str, *, turns: Sequence[Message] = TURNS, chat_template: str | None = CHAT
) -> tuple[Cell, Prompt]:
    """Return a cell with this template and the prompt of it; a token is a letter."""
    cell = replace(
        a_cell(),
        case=a_case(messages=tuple(turns)),
        template=Template(name="t", text=text),
        retrieval=Retrieval(budget_tokens=1000),
    )
    made = build(cell, passages=PASSAGES, chat_template=chat_template, count_tokens=len)
    return cell, made


def told(text: str, *, chat_template: str | None = CHAT) -> list[tuple[Section, str]]:
    """Return the pieces of the prompt of a template."""
    cell, prompt = a_prompt(text, chat_template=chat_template)
    found = sections.pieces(cell, prompt, chat_template=chat_template)
    assert found is not None
    return [(piece.section, piece.text) for piece in found]


def test_each_piece_is_told_in_the_order_of_the_prompt() -> None:
    """Markup, earlier turns, the words of the template, and what is filled into them."""
    assert told(CITED) == [
        ("markup", "<bos><user>"),
        ("history", "Hello"),
        ("markup", "</user><assistant>"),
        ("history", "Hi"),
        ("markup", "</assistant><user>"),
        ("template", "[1] "),
        ("passages", "Finn lives in Oslo."),
        ("template", " ("),
        ("passages", "d"),
        ("template", ")\n[2] "),
        ("passages", "Ada lives in Rome."),
        ("template", " ("),
        ("passages", "d"),
        ("template", ")\nAsk: "),
        ("question", "Where?"),
        ("markup", "</user><model>"),
    ]


def test_earlier_turns_that_a_template_shows_again_are_history_as_well() -> None:
    """As lines, or one by one."""
    assert ("history", "user: Hello\nassistant: Hi") in told("{{ rag_recent }} {{ query }}")
    assert told("{% for t in history %}{{ t.content }};{% endfor %}{{ query }}")[5:9] == [
        ("history", "Hello"),
        ("template", ";"),
        ("history", "Hi"),
        ("template", ";"),
    ]


def test_of_a_server_that_writes_the_markup_the_turns_are_told() -> None:
    """The line ends between turns are its markup here."""
    assert told("Ask: {{ query }}", chat_template=None) == [
        ("history", "Hello"),
        ("markup", "\n"),
        ("history", "Hi"),
        ("markup", "\n"),
        ("template", "Ask: "),
        ("question", "Where?"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{{ query|length }}",
        "{% for letter in query %}{{ letter }} {% endfor %}",
        "{% if query == 'Where?' %}yes{% endif %} {{ query }}",
        "{{ query[:3] }}",
        "{{ raise_exception('long') if query|length > 6 }}{{ query }}",
        "{{ query }}\U000f0000",
    ],
)
def test_what_a_template_changes_on_its_way_is_not_told(text: str) -> None:
    """Marks in a text may change what a template makes of it; then nothing is told."""
    cell, prompt = a_prompt(text)
    assert sections.pieces(cell, prompt, chat_template=CHAT) is None


TEXTS = st.text(alphabet="ab \n.é<>{}%", min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=150, deadline=None)
@given(
    TEXTS,
    TEXTS,
    st.lists(TEXTS, max_size=3),
    st.sampled_from([CITED, "{{ rag_context }}\n{{ query }}", "{{ query }}"]),
)
def test_the_pieces_are_the_prompt_and_their_tokens_are_its_tokens(
    question: str, earlier: str, found: list[str], text: str
) -> None:
    """Whatever is asked; tokens here are runs of letters, which two pieces may share."""

    def count(text: str) -> int:
        return len(text.split())

    turns = (
        Message(role="user", content=earlier),
        Message(role="assistant", content=earlier),
        Message(role="user", content=question),
    )
    passages = tuple(replace(PASSAGES[0], id=str(n), text=each, rank=n + 1) for n, each in enumerate(found))
    cell = replace(a_cell(), case=a_case(messages=turns), template=Template(name="t", text=text))
    prompt = build(cell, passages=passages, chat_template=CHAT, count_tokens=count)
    pieces = sections.pieces(cell, prompt, chat_template=CHAT)
    assert pieces is not None
    assert "".join(piece.text for piece in pieces) == prompt.text
    counted = sections.counted(pieces, count_tokens=count)
    assert counted is not None
    assert sum(counted.values()) == prompt.n_tokens


def test_counting_each_piece_alone_would_count_shared_tokens_twice() -> None:
    """A planted error: the pieces of one word are one token, and two alone."""
    pieces = [Piece(section="template", text="un"), Piece(section="question", text="like this")]

    def count(text: str) -> int:
        return len(text.split())

    assert sections.counted(pieces, count_tokens=count) == {
        "question": 1,
        "passages": 0,
        "history": 0,
        "template": 1,
        "markup": 0,
    }
    assert sum(count(piece.text) for piece in pieces) == 3


def test_where_tokens_cannot_be_counted_nothing_is_said_of_them() -> None:
    """As with a server without a tokenizer."""
    assert sections.counted([Piece(section="question", text="x")], count_tokens=lambda _: None) is None
