"""K5: every count of tokens is the engine's own, exactly, where counting again would give another number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval import plugins
from gemma_eval.backends.model_files import locate
from gemma_eval.protocols import Backend, Transform, Vocabulary
from gemma_eval.records import Generation, ModelSpec, Prompt, SamplingProfile
from gemma_eval.sampling.candidates import Floats

TEXTS = (
    " Finn lives in Oslo.",
    "naïve café, 北京, 🙂!",
    "👩‍👩‍👧 e\N{COMBINING ACUTE ACCENT}",
    " " * 20 + "x",
    "a\n\n\n\tb",
    "12345 67",
)
QUESTION = "<bos><start_of_turn>user\nWhere does Finn live?<end_of_turn>\n<start_of_turn>model\n"


@pytest.fixture(scope="module")
def oracle() -> tokenizers.Tokenizer:
    """The tokenizer of the shipped model, read by the library alone."""
    return tokenizers.Tokenizer.from_file(str(locate("@pocket") / "tokenizer.json"))


def ids_of(oracle: tokenizers.Tokenizer, text: str) -> tuple[int, ...]:
    """Return the ids of a text, none added."""
    return tuple(oracle.encode(text, add_special_tokens=False).ids)


def id_of(oracle: tokenizers.Tokenizer, piece: str) -> int:
    """Return the id of one token, as the vocabulary spells it."""
    token = oracle.token_to_id(piece)
    assert token is not None
    return token


@dataclass
class Forced:
    """A transform that leaves one token to choose: the next of a list, and then the end of the turn."""

    ids: Sequence[int]
    end: int
    at: int = 0

    def __call__(self, logits: Floats, seen: Sequence[int]) -> Floats:
        """Forbid all others."""
        del seen
        wanted = self.ids[self.at] if self.at < len(self.ids) else self.end
        self.at += 1
        only = np.full_like(logits, -np.inf)
        only[wanted] = 0
        return only


class Forcing:
    """The shipped model, made to write given tokens."""

    def __init__(self, oracle: tokenizers.Tokenizer) -> None:
        self.ids: Sequence[int] = ()
        self.end = id_of(oracle, "<end_of_turn>")
        registry = plugins.load()
        transforms = {**registry.transforms, "forced": self.transform}
        spec = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
        load = registry.backends.find("numpy_gemma")
        self.backend: Backend = load(spec, clock=perf_counter_ns, transforms=transforms)

    def transform(self, profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int) -> Transform:
        """Build the transform of one answer."""
        del profile, vocabulary, seed
        return Forced(self.ids, self.end)

    def write(self, ids: Sequence[int], *, max_tokens: int = 200) -> Generation:
        """Have exactly these tokens written."""
        self.ids = ids
        profile = SamplingProfile(name="forced", order=("forced",), max_tokens=max_tokens)
        return self.backend.generate(
            Prompt(messages=(), text=QUESTION, n_tokens=None), profile=profile, seed=0
        )


@pytest.fixture(scope="module")
def forcing(oracle: tokenizers.Tokenizer) -> Forcing:
    """The shipped model."""
    return Forcing(oracle)


def counted(answer: Generation) -> tuple[int | None, int]:
    """Return both counts of an answer: the whole and the sum of its pieces."""
    return answer.output_tokens, sum(delta.n_tokens or 0 for delta in answer.deltas)


@pytest.mark.parametrize("text", TEXTS)
def test_an_answer_has_as_many_tokens_as_its_text(
    forcing: Forcing, oracle: tokenizers.Tokenizer, text: str
) -> None:
    """In whatever pieces it came: characters of several tokens come with the last of them."""
    ids = ids_of(oracle, text)
    answer = forcing.write(ids)
    assert answer.text == text
    assert answer.finish_reason == "stop"
    assert answer.count_source == "engine"
    assert counted(answer) == (len(ids), len(ids))


@settings(max_examples=40)
@given(data=st.data())
def test_any_tokens_are_counted_as_they_were_drawn(
    forcing: Forcing, oracle: tokenizers.Tokenizer, data: st.DataObject
) -> None:
    """A model may write what its tokenizer never would: what is fewer tokens when read again."""
    plain = [
        token for token in range(oracle.get_vocab_size()) if token not in oracle.get_added_tokens_decoder()
    ]
    ids = data.draw(st.lists(st.sampled_from(plain), max_size=24))
    answer = forcing.write(ids)
    assert counted(answer) == (len(ids), len(ids))
    assert answer.text == oracle.decode(ids)


def test_an_answer_that_was_cut_off_has_the_tokens_up_to_there(
    forcing: Forcing, oracle: tokenizers.Tokenizer
) -> None:
    """Even within a character."""
    ids = ids_of(oracle, "🙂🙂")
    answer = forcing.write(ids, max_tokens=len(ids) - 1)
    assert answer.finish_reason == "length"
    assert counted(answer) == (len(ids) - 1, len(ids) - 1)


@pytest.mark.parametrize("text", [QUESTION, *TEXTS, "<bos>", "<bos><bos>x", " <bos>"])
def test_a_prompt_has_the_tokens_of_its_markup_and_no_other(
    forcing: Forcing, oracle: tokenizers.Tokenizer, text: str
) -> None:
    """A `<bos>` in the text is one token, and none is put before it."""
    assert forcing.backend.count_tokens(text) == len(ids_of(oracle, text))


def test_a_prompt_is_counted_as_it_was_read(forcing: Forcing, oracle: tokenizers.Tokenizer) -> None:
    """With the one `<bos>` of its markup."""
    answer = forcing.write(ids_of(oracle, " Oslo"))
    assert answer.prompt_tokens == len(ids_of(oracle, QUESTION))


Count = Callable[[tokenizers.Tokenizer, Generation], int]


def of_the_text(oracle: tokenizers.Tokenizer, answer: Generation) -> int:
    """Count the answer again, as tools do that do not ask the engine."""
    return len(ids_of(oracle, answer.text))


def of_the_pieces(oracle: tokenizers.Tokenizer, answer: Generation) -> int:
    """Count each piece by itself."""
    return sum(len(ids_of(oracle, delta.text)) for delta in answer.deltas)


def of_the_pieces_with_special_tokens(oracle: tokenizers.Tokenizer, answer: Generation) -> int:
    """Count each piece by itself with the `<bos>` that Gemma's tokenizer adds to what it reads."""
    bos = id_of(oracle, "<bos>")
    return sum(len([bos, *ids_of(oracle, delta.text)]) for delta in answer.deltas)


def pieces(oracle: tokenizers.Tokenizer, answer: Generation) -> int:
    """Take each piece for a token."""
    del oracle
    return len(answer.deltas)


@pytest.mark.parametrize(
    ("count", "spelled"),
    [
        (of_the_text, ("O", "s", "l", "o")),
        (of_the_pieces, ("O", "s", "l", "o", "ð", "Ł")),
        (of_the_pieces_with_special_tokens, ("ĠOslo",)),
        (pieces, ("Ã", "©", "Ġ")),
    ],
)
def test_every_other_way_of_counting_is_caught(
    forcing: Forcing, oracle: tokenizers.Tokenizer, count: Count, spelled: tuple[str, ...]
) -> None:
    """The counts above can be wrong: each shortcut has an answer that it miscounts."""
    ids = tuple(id_of(oracle, piece) for piece in spelled)
    answer = forcing.write(ids)
    assert counted(answer) == (len(ids), len(ids))
    assert count(oracle, answer) != len(ids)
