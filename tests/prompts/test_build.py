"""The prompt of a cell is exactly what template, passages and chat markup make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gemma_eval.config import shipped
from gemma_eval.config import templates as template_files
from gemma_eval.errors import TemplateError
from gemma_eval.prompts import chat, packing, templates
from gemma_eval.prompts.build import build
from gemma_eval.records import Cell, Message, Passage, Prompt, Retrieval, Template
from tests.examples import a_case, a_cell

SHIPPED = template_files.load(shipped.suites_directory() / "templates")
QUERY = "Where does Finn live?"
CITE = "Answer and cite the passage."
CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def passages(*texts: str) -> tuple[Passage, ...]:
    """Return ranked passages with these texts."""
    return tuple(
        Passage(id=str(rank), text=text, document="d", score=1 / rank, rank=rank)
        for rank, text in enumerate(texts, start=1)
    )


TWO = passages("Finn lives in Oslo.", "Ada lives in Rome.")


def count_words(text: str) -> int:
    """Count words, as a tokenizer would count tokens."""
    return len(text.split())


def prompt(
    template: Template,
    found: tuple[Passage, ...] = TWO,
    *,
    cell: Cell | None = None,
    chat_template: str | None = CHAT,
) -> Prompt:
    """Build a prompt with a template."""
    made = replace(cell or a_cell(), template=template)
    return build(made, passages=found, chat_template=chat_template, count_tokens=count_words)


@pytest.mark.parametrize(
    ("name", "found", "turn"),
    [
        ("plain", TWO, QUERY),
        ("plain", (), QUERY),
        ("rag", TWO, f"Context:\n- Finn lives in Oslo.\n- Ada lives in Rome.\n\nQuestion: {QUERY}"),
        ("rag", (), QUERY),
        (
            "rag-cited",
            TWO,
            f"Context:\n[1] Finn lives in Oslo.\n[2] Ada lives in Rome.\n\nQuestion: {QUERY}\n{CITE}",
        ),
        ("rag-cited", (), QUERY),
    ],
)
def test_the_shipped_templates_make_exactly_these_turns(
    name: str, found: tuple[Passage, ...], turn: str
) -> None:
    """The pocket model was trained on these very forms: not a space more or less."""
    assert prompt(SHIPPED[name], found).messages == (Message(role="user", content=turn),)


def test_the_shipped_templates_are_these_three() -> None:
    """And only those with passages cost a search."""
    assert {name: templates.uses_retrieval(template) for name, template in SHIPPED.items()} == {
        "plain": False,
        "rag": True,
        "rag-cited": True,
    }


def test_the_text_is_the_whole_chat_up_to_the_models_turn() -> None:
    """In Gemma's markup, counted with the model's own tokenizer."""
    made = prompt(SHIPPED["plain"])
    assert made.text == f"<bos><start_of_turn>user\n{QUERY}<end_of_turn>\n<start_of_turn>model\n"
    assert made.n_tokens == count_words(made.text)


def test_without_a_chat_template_the_engine_writes_the_markup() -> None:
    """Then neither the text nor its length is known here."""
    made = prompt(SHIPPED["plain"], chat_template=None)
    assert (made.text, made.n_tokens) == (None, None)
    assert made.messages[-1].content == QUERY


def test_earlier_turns_stay_turns_and_the_template_makes_the_last() -> None:
    """`rag_recent` shows the earlier ones again to a template that wants them."""
    turns = (
        Message(role="system", content="Be short."),
        Message(role="user", content="Hi {{ query }}"),
        Message(role="assistant", content="Hello"),
        Message(role="user", content=QUERY),
    )
    cell = replace(a_cell(), case=a_case(messages=turns))
    made = prompt(Template(name="t", text="{{ rag_recent }}\n>{{ query }}"), cell=cell)
    assert made.messages == (
        *turns[:3],
        Message(role="user", content=f"user: Hi {{{{ query }}}}\nassistant: Hello\n>{QUERY}"),
    )


def test_passages_fit_the_budget_in_rank_order_and_what_does_not_is_recorded() -> None:
    """One that is too long does not keep a shorter one behind it out; the lines are what is counted."""
    found = passages("a b", "c d e f g", "h", "i j k")
    cell = replace(a_cell(), retrieval=Retrieval(budget_tokens=5))
    made = prompt(SHIPPED["rag"], found, cell=cell)
    assert [passage.text for passage in made.passages] == ["a b", "h"]
    assert [passage.text for passage in made.dropped] == ["c d e f g", "i j k"]
    assert count_words(templates.rag_context(made.passages)) == 5
    assert made.messages[-1].content.startswith("Context:\n- a b\n- h\n\n")


def test_a_budget_that_fits_nothing_leaves_the_bare_question() -> None:
    """The template sees no passage."""
    cell = replace(a_cell(), retrieval=Retrieval(budget_tokens=1))
    made = prompt(SHIPPED["rag"], cell=cell)
    assert (made.passages, made.dropped) == ((), TWO)
    assert made.messages[-1].content == QUERY


def test_tokens_that_cannot_be_counted_drop_nothing() -> None:
    """A guess would make runs differ for no stated reason."""
    kept, packed = packing.pack(TWO, retrieval=Retrieval(budget_tokens=1), count_tokens=lambda _: None)
    assert kept == TWO
    assert {(each.fate, each.reason) for each in packed} == {("kept", "its tokens cannot be counted")}


def test_a_template_that_shows_no_passage_has_none() -> None:
    """What the model did not read is not recorded as read."""
    assert prompt(SHIPPED["plain"]).passages == ()


def test_passages_are_numbered_as_they_are_shown() -> None:
    """After one was dropped, the numbers have no gap."""
    text = "{% for p in passages %}{{ p.number }}{{ p.document }}:{{ p.text }};{% endfor %}"
    cell = replace(a_cell(), retrieval=Retrieval(budget_tokens=4))
    made = prompt(Template(name="t", text=text), passages("a", "b c d", "e"), cell=cell)
    assert made.messages[-1].content == "1d:a;2d:e;"


def test_a_wrong_template_is_one_typed_error_with_its_name() -> None:
    """Whether it is the prompt's or the model's."""
    with pytest.raises(
        TemplateError, match='template "t": line 1: unknown variable "rag_contxt"; did you mean "rag_context"'
    ):
        prompt(Template(name="t", text="{{ rag_contxt }}"))
    with pytest.raises(TemplateError, match=r'template "t": line 1: unexpected'):
        templates.uses_retrieval(Template(name="t", text="{{ }"))
    with pytest.raises(
        TemplateError, match='template "chat template": line 1: the template says: no system turn'
    ):
        prompt(SHIPPED["plain"], chat_template="{{ raise_exception('no system turn') }}")


def test_a_chat_template_may_name_other_tokens() -> None:
    """Those of the model that it belongs to."""
    turn = [Message(role="user", content="x")]
    assert (
        chat.render("{{ bos_token }}{{ messages[0]['content'] }}", turn, tokens={"bos_token": "<s>"})
        == "<s>x"
    )


def test_a_chat_template_does_not_know_the_date() -> None:
    """The same trial reads the same prompt tomorrow."""
    text = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}2024{% endif %}"
    assert chat.render(text, [Message(role="user", content="x")]) == "2024"


@pytest.mark.parametrize("template", ["plain", "rag"])
def test_a_case_without_turns_has_an_empty_prompt(template: str) -> None:
    """No template, no markup, no passages, with or without a chat template."""
    cell = replace(a_cell(), case=a_case(messages=(), continuation="Oslo is old."))
    assert cell.case.query == ""
    made = prompt(SHIPPED[template], TWO, cell=cell)
    assert made == Prompt(messages=(), text="", n_tokens=0)
    bare = build(cell, passages=(), chat_template=None, count_tokens=lambda _: None, context_tokens=1)
    assert bare == made
