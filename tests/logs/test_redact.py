"""What is taken out of a text is the secret and nothing else, whole or in pieces."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.logs import cleared
from gemma_eval.logs.redact import HIDDEN, Redactor, of_environment
from gemma_eval.measure.events import icl_s, itl_s
from gemma_eval.records import Attempt, Channel, Delta, Generation
from tests.logs.test_secrets import HARMLESS, SECRETS

KEY = "Canary+Key/4711=beats"
REDACTOR = Redactor(keys=frozenset({KEY}), values=frozenset({"hunter2-of-the-house"}))
LETTERS = st.text(alphabet="abcKEY+/=-_:@ \n4711é", max_size=60)
AROUND = st.text(alphabet="xyz \né@:", max_size=60)
KEYS = st.text(alphabet="abcKEY+/=-_4711", min_size=7, max_size=20).map("4{}".format)


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_without_a_secret_is_the_same_object(text: str) -> None:
    """Not even a copy is made."""
    assert REDACTOR(text) is text
    assert REDACTOR.answer(text) is text


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_key_goes_from_messages_and_stays_in_answers(secret: str) -> None:
    """An answer is data: a model that invents a key has said so."""
    assert HIDDEN in REDACTOR(f"it said {secret} to me")
    assert REDACTOR.answer(f"it said {secret} to me") == f"it said {secret} to me"


@given(before=AROUND, after=AROUND, key=KEYS)
def test_nothing_is_left_of_a_key_in_whatever_form_it_comes(before: str, after: str, key: str) -> None:
    """As it is, in a URL, in base64; what stands around it stays."""
    redactor = Redactor(keys=frozenset({key}))
    for form in (key, quote(key, safe=""), b64encode(key.encode()).decode()):
        assert redactor.answer(before + form + after) == before + HIDDEN + after


@given(text=LETTERS, key=KEYS)
def test_a_cleared_text_is_not_changed_again(text: str, key: str) -> None:
    """Nor is one that was cleared as an answer before."""
    redactor = Redactor(keys=frozenset({key}))
    once = redactor(f"{text}{key} Bearer {key}123456789012 https://finn:{key}@host {text}")
    assert redactor(once) == once
    assert redactor.answer(once) == once


@given(pieces=st.lists(st.text(alphabet="ab1-", max_size=6), max_size=12))
def test_pieces_joined_are_what_the_whole_becomes(pieces: list[str]) -> None:
    """As many pieces as before, and what is no part of a key stays in its piece."""
    redactor = Redactor(keys=frozenset({"abababab", "bab1bab1", "ab-ab-ab"}))
    cleared_pieces = redactor.pieces(pieces)
    assert len(cleared_pieces) == len(pieces)
    assert "".join(cleared_pieces) == redactor.answer("".join(pieces))


def test_a_longer_key_goes_before_one_that_is_within_it() -> None:
    """So that nothing of it is left."""
    redactor = Redactor(keys=frozenset({"secret-4", "secret-4-and-more"}))
    assert redactor.answer("secret-4-and-more, secret-4") == f"{HIDDEN}, {HIDDEN}"


def test_the_variables_that_hold_a_secret_are_known_by_their_names() -> None:
    """And a value that is too short is no secret, for it is in too many words."""
    found = of_environment(
        {
            **{
                name: f"value-of-{name}"
                for name in ("HF_TOKEN", "MY_API_KEY", "api_key", "AWS_SECRET_ACCESS_KEY")
            },
            **{
                name: f"value-of-{name}"
                for name in ("PATH", "KEYBOARD", "MAX_TOKENS", "TOKEN_FILE", "MONKEY")
            },
            "DB_PASSWORD": " with-spaces ",
            "SHORT_TOKEN": "abc",
        }
    )
    names = {value.removeprefix("value-of-") for value in found.values}
    assert names == {"HF_TOKEN", "MY_API_KEY", "api_key", "AWS_SECRET_ACCESS_KEY", "with-spaces"}


def test_a_redactor_shows_nothing_of_what_it_hides() -> None:
    """Not where a debugger shows it."""
    assert KEY not in repr(REDACTOR)


def an_answer(*pieces: tuple[str, Channel]) -> Generation:
    """Return an answer that came in these pieces."""
    joined = {name: "".join(text for text, channel in pieces if channel == name) for _, name in pieces}
    return Generation(
        text=joined.get("output", ""),
        reasoning=joined.get("reasoning", ""),
        deltas=tuple(
            Delta(text=text, n_tokens=1, at_ns=10 + at, channel=channel)
            for at, (text, channel) in enumerate(pieces)
        ),
        prompt_tokens=1,
        output_tokens=len(pieces),
        count_source="engine",
        finish_reason="stop",
        requested_ns=1,
        ended_ns=99,
        attempts=(Attempt(kind="server_error", message=f"500 for {KEY}", requested_ns=1, ended_ns=2),),
    )


def test_an_answer_keeps_its_stamps_and_counts() -> None:
    """The pieces are as many, each at its time; both channels are cleared, each by itself."""
    before = an_answer(
        ("It is Can", "output"), ("I look: Canary+", "reasoning"), ("ary+Key/", "output"),
        ("Key/4711=beats!", "reasoning"), ("4711=beats, Finn", "output"),
    )  # fmt: skip
    after = cleared.answer(before, redactor=REDACTOR)
    assert after.text == f"It is {HIDDEN}, Finn"
    assert after.reasoning == f"I look: {HIDDEN}!"
    assert [each.text for each in after.deltas] == [
        f"It is {HIDDEN}", f"I look: {HIDDEN}", "", "!", ", Finn",
    ]  # fmt: skip
    assert [(each.at_ns, each.n_tokens) for each in after.deltas] == [
        (each.at_ns, each.n_tokens) for each in before.deltas
    ]
    assert after.attempts[0].message == f"500 for {HIDDEN}"


def test_an_answer_whose_pieces_tell_no_counts_keeps_its_times() -> None:
    """A piece that is emptied came with a token all the same."""
    told = an_answer(*((piece, "output") for piece in ("It is Can", "ary+", "Key/4711", "=beats", ", Finn")))
    before = replace(told, deltas=tuple(replace(each, n_tokens=None) for each in told.deltas))
    after = cleared.answer(before, redactor=REDACTOR)
    assert [each.text for each in after.deltas] == [f"It is {HIDDEN}", "", "", "", ", Finn"]
    assert icl_s(after) == icl_s(before)
    assert itl_s(after) == itl_s(before)
    assert len(icl_s(before)) == 4


@pytest.mark.parametrize("key", ["lm-studio", "not-needed", "sk-no-key-required", "PLACEHOLDER", "Anything"])
def test_a_key_of_plain_words_is_part_of_an_answer(key: str) -> None:
    """Servers without keys are given such, and a model that says the word is not to be scored without it."""
    redactor = Redactor(keys=frozenset({key}))
    assert redactor.answer(f"Use {key}.") == f"Use {key}."
    assert redactor(f"refused {key}") == f"refused {HIDDEN}"


@pytest.mark.parametrize("key", ["qhtzwlvkpdnrmbxcgjfsyaeuoi", "kQhTzWlVkPd", "token-abc123"])
def test_a_key_that_is_drawn_goes_from_an_answer_though_it_is_letters(key: str) -> None:
    """The planted error: one that is longer than words are, of mixed letters, or with digits."""
    assert Redactor(keys=frozenset({key})).answer(f"It is {key}.") == f"It is {HIDDEN}."


def test_an_answer_without_a_key_is_the_same_object() -> None:
    """Every answer passes here."""
    before = an_answer(("Oslo, sk-proj-Canary4713Canary4713Canary4713", "output"))
    assert cleared.answer(before, redactor=Redactor()).deltas is before.deltas
