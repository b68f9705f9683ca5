"""Texts that llama-server is made to write: what it is asked, and what it cannot follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from gemma_eval.backends.llama_reading import grammar, read_beside
from gemma_eval.errors import BackendError, ServerError

Json = Any
A = 70
"""The id of a whole character, beside which others are looked up."""


def logarithm(before: Sequence[int], token: int) -> float:
    """Return the log-probability that the scripted engine has for a token."""
    return -1.0 - (sum(before) + token) % 7 / 10


@dataclass
class Scripted:
    """A llama-server that follows grammars but for some tokens, and tells nothing of parts of a character."""

    ends: Sequence[int] = ()
    parts: Sequence[int] = ()
    asked: list[Mapping[str, object]] = field(default_factory=list)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Know one character."""
        assert text == "a"
        return (A,)

    def complete(self, request: Mapping[str, object]) -> Json:
        """Write what the grammar or the bias leaves."""
        self.asked.append(request)
        before = request["prompt"]
        assert isinstance(before, list)
        if "grammar" in request:
            rule = str(request["grammar"]).removeprefix("root ::= ")
            tokens = [int(name[2:-2]) for name in rule.split()]
            if {*tokens} & {*self.ends, *self.parts}:
                raise ServerError("Unexpected empty grammar stack")
        else:
            biases = request["logit_bias"]
            assert isinstance(biases, list)
            tokens = [biases[0][0]]
        told = [
            self._told([*before, *tokens[:index]], token, request)
            for index, token in enumerate(tokens)
            if token not in self.parts
        ]
        return {"completion_probabilities": told} if told else {}

    @staticmethod
    def _told(before: list[int], token: int, request: Mapping[str, object]) -> Json:
        listed = (
            range(1, 100)
            if request["n_probs"] != 1
            else [min(range(1, 100), key=lambda x: (x + sum(before)) % 7)]
        )
        ranked = sorted(listed, key=lambda other: -logarithm(before, other))
        return {
            "id": token,
            "logprob": logarithm(before, token),
            "top_logprobs": [{"id": other, "logprob": logarithm(before, other)} for other in ranked],
        }


def expected(before: Sequence[int], text: Sequence[int]) -> list[float]:
    """Return the log-probabilities of a text, token by token."""
    return [logarithm([*before, *text[:index]], token) for index, token in enumerate(text)]


def test_a_text_is_written_in_one_request_by_a_grammar_of_its_tokens() -> None:
    """Nothing is drawn, and what was read may be kept."""
    engine = Scripted()
    (reading,) = read_beside(engine, (2, 9), [(11, 12, 13)])
    assert list(reading.log_probabilities) == expected((2, 9), (11, 12, 13))
    (asked,) = engine.asked
    assert asked["grammar"] == grammar((11, 12, 13)) == "root ::= <[11]> <[12]> <[13]>"
    assert asked["n_predict"] == 3
    assert asked["temperature"] == 0
    assert asked["cache_prompt"] is True


@pytest.mark.parametrize(
    "engine", [Scripted(ends=(12,)), Scripted(parts=(12,)), Scripted(parts=(11, 12, 13))]
)
def test_what_a_grammar_cannot_follow_is_asked_for_token_by_token(engine: Scripted) -> None:
    """The end of a turn by a bias, a part of a character beside a whole one: the numbers are the same."""
    texts = [(11, 12, 13), (14, 15)]
    readings = read_beside(engine, (2, 9), texts)
    for text, reading in zip(texts, readings, strict=True):
        assert list(reading.log_probabilities) == expected((2, 9), text)
    assert [reading.greedy for reading in readings] == [
        reading.greedy for reading in read_beside(Scripted(), (2, 9), texts)
    ]


@dataclass
class Wrong:
    """A llama-server that answers everything with the same."""

    answer: Json

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Know one token."""
        del text
        return (A,)

    def complete(self, request: Mapping[str, object]) -> Json:
        """Answer."""
        del request
        return self.answer


def told(token: int, known: float) -> Json:
    """Return what is told of one token."""
    return {"id": token, "logprob": known, "top_logprobs": [{"id": token, "logprob": known}]}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({}, "unknown form"),
        ({"completion_probabilities": [{"id": 11, "logprob": -1.0}]}, "unknown form"),
        ({"completion_probabilities": [told(99, -1.0)]}, "no log-probability of the token 11"),
        (
            {"completion_probabilities": [told(11, -3.4028234663852886e38)]},
            "no log-probability of the token 11",
        ),
    ],
)
def test_an_engine_that_does_not_tell_is_an_error(answer: Json, says: str) -> None:
    """Another token, no number, and a probability that rounds to 0: none becomes a score."""
    with pytest.raises(BackendError, match=says):
        read_beside(Wrong(answer), (2, 9), [(11,)])


def wrong_by(change: Callable[[list[float]], list[float]]) -> float:
    """Return how far changed numbers lie from what was read."""
    (reading,) = read_beside(Scripted(), (2, 9), [(11, 12, 13)])
    changed = change(expected((2, 9), (11, 12, 13)))
    return max(abs(a - b) for a, b in zip(changed, reading.log_probabilities, strict=False))


def test_planted_errors_are_seen() -> None:
    """Tokens of another place, and probabilities in place of their logarithms."""
    assert wrong_by(lambda known: known) == 0
    assert wrong_by(lambda known: known[1:]) > 0.05
    assert wrong_by(lambda known: [math.exp(value) for value in known]) > 0.5
