"""A language model as a reranker: what it is asked, and what its probabilities make of it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from gemma_eval import plugins
from gemma_eval.errors import BackendError, UsageError
from gemma_eval.memory.rerankers.engine import load
from gemma_eval.memory.rerankers.sanity import checked
from gemma_eval.prompts.chat import render
from gemma_eval.protocols import Backend, RerankerParts
from gemma_eval.records import (
    ChoiceReading,
    EngineInfo,
    Generation,
    Message,
    ModelSpec,
    Prompt,
    SamplingProfile,
)
from tests.examples import a_generation

POCKET = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")


@dataclass
class Plain:
    """An engine that tells of no text how probable it is."""

    chat_template: str | None = None
    read_prompts: list[str | None] = field(default_factory=list)

    def info(self) -> EngineInfo:
        """Say what it is."""
        return EngineInfo(
            engine="mute", version="1", model_sha256=None, parameters=None, context_tokens=None, threads=None
        )

    def count_tokens(self, text: str) -> None:
        """Tell nothing."""

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Nobody asks for it."""
        raise AssertionError

    def close(self) -> None:
        """Free nothing."""


class Reading(Plain):
    """Finds `yes` likely where the passage names Oslo, in two tokens of which each counts."""

    def known(self, prompt: Prompt, word: str) -> tuple[float, ...]:
        """Return the log-probabilities of a word."""
        self.read_prompts.append(prompt.text)
        likely = ("Oslo." in str(prompt.text)) == (word == "yes")
        return (math.log(0.9 if likely else 0.2), math.log(0.5))

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read one word."""
        generation = a_generation(continuation)
        object.__setattr__(generation, "log_probabilities", self.known(prompt, continuation))
        return generation


class Choosing(Reading):
    """Reads all words after one reading of the prompt."""

    def read_choices(self, prompt: Prompt, *, choices: Sequence[str], unconditional: bool) -> Generation:
        """Read each word."""
        assert not unconditional
        generation = a_generation(choices[0])
        read = tuple(ChoiceReading(text=word, log_probabilities=self.known(prompt, word)) for word in choices)
        object.__setattr__(generation, "choices", read)
        return generation


PASSAGES = ("Finn lives in Oslo.", "Braces {query} and {passage} are text.")


@pytest.mark.parametrize("backend", [Reading(), Choosing()], ids=["reads", "chooses"])
def test_a_score_is_how_much_more_likely_yes_is(backend: Reading) -> None:
    """In natural logarithms, over all tokens of the word."""
    made = load(RerankerParts(backend=backend)).score("Where does Finn live?", PASSAGES)
    assert made == pytest.approx((math.log(0.9 / 0.2), math.log(0.2 / 0.9)))


def test_a_passage_is_text_and_the_template_of_the_engine_is_used() -> None:
    """Nothing in a passage is filled in."""
    backend = Choosing(chat_template="a template")
    marked = RerankerParts(backend=backend, render=lambda template, turns: f"<{template}>{turns[0].content}")
    load(marked).score("Where?", PASSAGES[1:])
    load(RerankerParts(backend=backend)).score("Where?", PASSAGES[1:])
    told = f"Passage: {PASSAGES[1]}\n\nQuestion: Where?\n\nDoes the passage answer the question?"
    assert str(backend.read_prompts[0]).startswith(f"<a template>{told}")
    assert str(backend.read_prompts[-1]).startswith(told)
    assert str(backend.read_prompts[-1]).endswith("Answer: ")


def test_its_own_model_is_asked_before_the_engine_under_test() -> None:
    """It is loaded by whoever closes it."""
    own, loaded = Choosing(), []

    def load_own(spec: ModelSpec) -> Backend:
        loaded.append(spec)
        return own

    made = load(RerankerParts(model=POCKET, backend=Reading(), load=load_own))
    assert (made.backend, loaded) == (own, [POCKET])


def test_an_engine_that_cannot_tell_is_named() -> None:
    """And none at all is asked for."""
    with pytest.raises(UsageError, match="mute does not"):
        load(RerankerParts(backend=Plain()))
    with pytest.raises(UsageError, match="needs an engine: a reranker_model"):
        load(RerankerParts())


def test_the_pocket_model_is_no_reranker_and_is_refused() -> None:
    """It was not trained to say whether a passage answers; the pairs that it gets wrong are named."""
    registry = plugins.load()
    backend = registry.backends.find("numpy_gemma")(
        POCKET, clock=time.perf_counter_ns, transforms=registry.transforms
    )
    made = load(RerankerParts(backend=backend, render=render))
    with pytest.raises(
        BackendError, match=r'engine is refused: .* in \d of 10 pairs, 9 are needed; wrong are "'
    ):
        checked(made, name="engine")


def test_a_conversation_is_one_turn() -> None:
    """That of the user."""
    seen: list[Sequence[Message]] = []

    def note(template: str, turns: Sequence[Message]) -> str:
        seen.append(turns)
        return template

    load(RerankerParts(backend=Choosing(chat_template="x"), render=note)).score("Where?", PASSAGES[:1])
    assert [turn.role for turn in seen[0]] == ["user"]
