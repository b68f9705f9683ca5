"""Ids in, text out: no second `<bos>`, no half characters, the ends of an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma.tokenizer import Tokenizer, load
from tests.gemma.tiny import BOS, CHAT_TEMPLATE, END_OF_TURN, EOS, tokenizer, write_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The tokenizer of a tiny model, which by itself would put `<bos>` first."""
    return load(write_model(tmp_path_factory.mktemp("tiny")))


def test_markup_becomes_special_tokens_and_no_second_bos_is_added(tiny: Tokenizer) -> None:
    """The tokenizer file asks for a `<bos>` of its own; chat markup already has one."""
    ids = tiny.encode("<bos><start_of_turn>a<end_of_turn>")
    assert ids == (BOS, 4, *tiny.encode("a"), END_OF_TURN)
    assert tokenizer().encode("<bos>a").ids[:2] == [BOS, BOS], "the trap is there"


@pytest.mark.parametrize(
    ("put", "config", "added"),
    [
        ("<bos> $A", {}, BOS),
        ("<bos> $A <eos>", {}, BOS),
        ("<bos> $A", {"add_bos_token": False}, None),
        ("$A <eos>", {}, None),
        ("$A", {"add_bos_token": True}, BOS),
        ("$A", {"add_bos_token": True, "bos_token": {"content": "<eos>"}}, EOS),
        ("$A", {"bos_token": "<bos>"}, None),
    ],
)
def test_what_is_put_first_is_what_the_files_say(
    tmp_path: Path, put: str, config: dict[str, object], added: int | None
) -> None:
    """What is put after a text is no beginning, and the beginning has the name that the files give it."""
    folder = write_model(tmp_path)
    made = tokenizer()
    special = [("<bos>", BOS), ("<eos>", EOS)]
    made.post_processor = TemplateProcessing(single=put, pair="$A $B", special_tokens=special)
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert load(folder).added == added


def test_text_alone_gets_no_bos(tiny: Tokenizer) -> None:
    """What is counted for a passage is the passage."""
    assert BOS not in tiny.encode("plain")
    assert tiny.encode("") == ()


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12))
@settings(deadline=None)
def test_pieces_of_a_stream_are_whole_characters_and_join_to_the_text(tiny: Tokenizer, text: str) -> None:
    """One token per byte: every character of several bytes is split, none comes out broken."""
    stream = tiny.stream()
    pieces = [stream.push(token) for token in tiny.encode(text)]
    if "\N{REPLACEMENT CHARACTER}" not in text:
        assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)
        assert not stream.finish() or text.endswith("<")
    assert "".join(pieces) + stream.finish() == tiny.decode(list(tiny.encode(text)))


@given(ids=st.lists(st.integers(0, 265), max_size=30))
@settings(deadline=None)
def test_a_stream_gives_the_text_of_any_ids(tiny: Tokenizer, ids: list[int]) -> None:
    """Bytes that are no characters and special tokens among them included."""
    stream = tiny.stream()
    pieces = [stream.push(token) for token in ids]
    assert "".join(pieces) + stream.finish() == tiny.decode(ids)


def test_a_character_comes_out_with_its_last_byte(tiny: Tokenizer) -> None:
    """é is two bytes and so two tokens here."""
    first, second = tiny.encode("é")
    stream = tiny.stream()
    assert stream.push(first) == ""
    assert stream.push(second) == "é"
    assert stream.finish() == ""


def test_bytes_that_never_become_a_character_are_shown_at_the_end(tiny: Tokenizer) -> None:
    """Nothing that was generated is lost silently."""
    stream = tiny.stream()
    assert stream.push(tiny.encode("é")[0]) == ""
    assert stream.finish() == "\N{REPLACEMENT CHARACTER}"


def test_an_answer_ends_at_what_any_file_calls_the_end(tmp_path: Path) -> None:
    """config.json, generation_config.json and Gemma's own tokens."""
    write_model(tmp_path)
    assert load(tmp_path).stop_ids == {EOS, END_OF_TURN}
    (tmp_path / "generation_config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": [EOS, 77]}))
    assert load(tmp_path).stop_ids == {EOS, END_OF_TURN, 77}


def test_the_chat_template_is_found_where_folders_keep_it(tmp_path: Path) -> None:
    """A file of its own, a key, a list with names, or nowhere."""
    write_model(tmp_path)
    assert load(tmp_path).chat_template == CHAT_TEMPLATE
    settings = tmp_path / "tokenizer_config.json"
    named = [{"name": "tool_use", "template": "b"}, {"name": "default", "template": "a"}]
    settings.write_text(json.dumps({"chat_template": named}))
    assert load(tmp_path).chat_template == "a"
    (tmp_path / "chat_template.jinja").write_text("file")
    assert load(tmp_path).chat_template == "file"
    (tmp_path / "chat_template.jinja").unlink()
    settings.unlink()
    assert load(tmp_path).chat_template is None


def test_a_damaged_chat_template_is_a_model_error(tmp_path: Path) -> None:
    """One line that names the file, no traceback."""
    (write_model(tmp_path) / "chat_template.jinja").write_bytes(b"\xff\xfe{{ messages }}")
    with pytest.raises(ModelNotFound, match=r"chat_template\.jinja: cannot be read as UTF-8"):
        load(tmp_path)


@pytest.mark.parametrize(("content", "complaint"), [(None, "no such file"), ("{}", "not a tokenizer file")])
def test_a_missing_or_damaged_tokenizer_is_one_line(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    """The message names the file."""
    file = write_model(tmp_path) / "tokenizer.json"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(ModelNotFound, match=complaint) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(str(file))
