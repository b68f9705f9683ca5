"""Chat markup is what transformers and llama.cpp make of the same turns, and never begins twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.backends.model_files import locate
from gemma_eval.config import models
from gemma_eval.errors import ConfigError, TemplateError
from gemma_eval.gemma.tokenizer import load
from gemma_eval.prompts import chat, chat_formats
from gemma_eval.records import BRINGS_ITS_OWN, CHAT_FORMATS, Message, Role
from tests import required
from tests.llama_cpp import LlamaCpp, serve

POCKET = locate("@pocket")
OWN = load(POCKET).chat_template or ""
GEMMA_2 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}{{ '<start_of_turn>model\\n' }}"
)
"""What Gemma 2 brings, in fewer words."""


def turns(*said: str) -> tuple[Message, ...]:
    """Return turns given as `role: content`."""
    pairs = (each.partition(": ") for each in said)
    return tuple(Message(role=role, content=content) for role, _, content in pairs)  # type: ignore[arg-type]


TALKS = (
    turns("user: Where does Finn live?"),
    turns("user:  spaces around \n"),
    turns("system: Be brief.", "user: Where does Finn live?"),
    turns("system:  Be brief. ", "user: Hi", "assistant:  Hello. ", "user: Where does Finn live?"),
    turns("user: a <start_of_turn> b", "assistant: c", "user: {{ d }} {% e %}"),
)
SEVERAL = turns("system: A", "system: B", "user: hi", "assistant: yo", "system: C", "user: x")


def plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return turns as other libraries take them."""
    return [{"role": turn.role, "content": turn.content} for turn in messages]


@pytest.mark.parametrize("messages", TALKS)
@pytest.mark.parametrize("template", [OWN, "{{ bos_token }}{{ messages | tojson }}"])
def test_a_template_makes_what_transformers_makes_of_it(
    template: str, messages: tuple[Message, ...], tmp_path: Path
) -> None:
    """The library's own rendering of the same text, with the tokenizer of the folder."""
    transformers = required.module("transformers", extra="transformers")
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((POCKET / name).read_bytes())
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(
        plain(messages), chat_template=template, tokenize=False, add_generation_prompt=True
    )
    assert chat.render(template, messages) == theirs


@pytest.fixture(scope="module", params=["gemma", "chatml"])
def formatting(request: pytest.FixtureRequest) -> Iterator[tuple[str, LlamaCpp]]:
    """A llama.cpp that writes a format of its own, and our name of that."""
    named = {"gemma": "gemma3", "chatml": "chatml"}
    with serve(locate("@pocket.F32.gguf"), chat_template=request.param, use_jinja=False) as engine:
        yield named[request.param], engine


def test_formats_write_what_llama_cpp_writes(formatting: tuple[str, LlamaCpp]) -> None:
    """Whose tokenizer puts `<bos>` before it; system turns stand before the user's, wherever they come."""
    name, engine = formatting
    for messages in (*TALKS, SEVERAL):
        theirs = engine.applied(plain(messages))
        assert chat.render(f"@{name}", messages).removeprefix("<bos>") == theirs


def test_the_pocket_model_reads_the_same_from_llama_cpp_and_from_us() -> None:
    """By the template in its file, with and without a system turn."""
    with serve(locate("@pocket.F32.gguf")) as engine:
        for messages in TALKS:
            assert chat.render(OWN, messages) == engine.applied(plain(messages))


def test_the_format_of_gemma_is_the_template_of_the_pocket_model() -> None:
    """Which was trained on it."""
    for messages in TALKS:
        assert chat.render("@gemma3", messages) == chat.render(OWN, messages)


def test_a_template_that_refuses_a_system_turn_is_given_it_with_the_users() -> None:
    """As Gemma 2's; without such a turn nothing is changed."""
    asked = turns("system:  Be brief. ", "user: Hi", "assistant: Hello.", "user: Where?")
    assert chat.render(GEMMA_2, asked) == chat.render("@gemma3", asked)
    assert chat.render(GEMMA_2, asked[1:]) == chat.render("@gemma3", asked[1:])


def test_what_a_template_refuses_besides_is_said_in_its_own_words() -> None:
    """Also where there is a system turn."""
    for messages in (turns("user: a", "user: b"), turns("system: s", "user: a", "user: b")):
        with pytest.raises(TemplateError, match="must alternate"):
            chat.render(OWN, messages)
    with pytest.raises(TemplateError, match="System role not supported"):
        chat.render(GEMMA_2.replace("<start_of_turn>", "{{ nothing }}"), turns("system: s", "user: a"))


def test_the_plain_format_names_who_speaks() -> None:
    """For a model that was trained on no markup."""
    assert chat.render("@generic", TALKS[3]) == (
        "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Where does Finn live?\n\nAssistant:"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gema3", 'no chat format named "@gema3"; did you mean "gemma3"?'),
        ("gemma4", BRINGS_ITS_OWN["gemma4"]),
        ("", 'no chat format named "@"; known: chatml, gemma3, generic'),
    ],
)
def test_a_name_that_is_none_says_what_would_be_one(name: str, said: str, tmp_path: Path) -> None:
    """When a prompt is made, and before that where it is written."""
    with pytest.raises(TemplateError) as caught:
        chat.render(f"@{name}", TALKS[0])
    assert str(caught.value) == said
    text = f'version = 1\n[model.m]\nbackend = "b"\nlocation = "l"\nchat_template = "@{name}"\n'
    with pytest.raises(ConfigError) as refused:
        models.parse(text, path=tmp_path / "models.toml")
    assert str(refused.value).startswith(f'{tmp_path / "models.toml"}:5: model "m": ')
    assert said.replace(f'"@{name}"', f'"{name}"') in str(refused.value)


def test_a_models_file_may_name_every_format() -> None:
    """The names that it knows are those that are there."""
    assert set(CHAT_FORMATS) == set(chat_formats.FORMATS)
    for name in CHAT_FORMATS:
        text = f'version = 1\n[model.m]\nbackend = "b"\nlocation = "l"\nchat_template = "@{name}"\n'
        assert models.parse(text, path=Path("models.toml"))["m"].chat_template == f"@{name}"


@pytest.mark.parametrize("template", [f"{{{{ bos_token }}}}{OWN}", f"<bos>\n{OWN}", f"<bos>{GEMMA_2}"])
def test_a_template_that_begins_twice_is_refused(template: str) -> None:
    """No tokenizer of ours adds one, so that the second is the template's own."""
    assert chat.double_bos(f"<bos>{chat.render(OWN, TALKS[0])}")
    with pytest.raises(TemplateError, match="the prompt begins with <bos> twice; write it once"):
        chat.render(template, TALKS[0])


@pytest.mark.parametrize(
    "text", ["", "<bos>", "<bos>a<bos>", "a<bos><bos>", "<bos><start_of_turn>user\n<bos>"]
)
def test_one_beginning_is_none_too_many(text: str) -> None:
    """Nor is what a user writes, which stands after the markup."""
    assert not chat.double_bos(text)


ROLES = st.sampled_from(["system", "user", "assistant"])
CONTENTS = st.text(alphabet="ab \n<>{}%é", max_size=12)


@given(st.lists(st.tuples(ROLES, CONTENTS), min_size=1, max_size=6))
def test_no_word_of_a_turn_is_lost_in_a_format(said: list[tuple[Role, str]]) -> None:
    """But for a system turn that no turn of the user follows; and each prompt begins once."""
    messages = [Message(role=role, content=content) for role, content in said]
    last_user = max((at for at, turn in enumerate(messages) if turn.role == "user"), default=-1)
    for name in CHAT_FORMATS:
        text = chat.render(f"@{name}", messages)
        assert text.count("<bos>") == (name == "gemma3")
        for at, turn in enumerate(messages):
            if turn.role != "system" or at < last_user or name != "gemma3":
                assert turn.content.strip() in text


def test_the_template_of_the_folder_is_the_one_in_its_configuration() -> None:
    """Older readers know only the latter."""
    config = json.loads((POCKET / "tokenizer_config.json").read_text())
    assert config["chat_template"] == OWN
