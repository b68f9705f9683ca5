"""How probable llama-server finds a text: it is made to write it, and tells what it found of each token.

The server has no way to be given an answer. But a grammar can name tokens (`<[1383]>`), which leaves it one
answer to write, and the log-probabilities that it tells are of the softmax before any grammar or bias. What
its grammar cannot follow is asked for token by token: a token that ends an answer is made the only one by a
bias, and one that is a part of a character, of which it tells nothing, is looked up beside another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gemma_eval.errors import BackendError
from gemma_eval.gemma.reading import Ids, Reading, joined

Json = Any  # what the server answers; each reader narrows it


class Llama(Protocol):
    """A llama-server; both methods raise BackendError."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the ids of `text`, none added."""

    def complete(self, request: Mapping[str, object]) -> Json:
        """Have a request to `/completion` answered as a whole."""


def read_beside(engine: Llama, before: Ids, texts: Sequence[Ids]) -> tuple[Reading, ...]:
    """Read each of `texts` after what stands `before` all.

    One follows the other; the engine keeps what it has read where its cache lets it go back, which that of a
    model with local layers does when `before` is longer than their window. Raises BackendError.
    """
    return tuple(_read_after(engine, before, text) for text in texts)


def _read_after(engine: Llama, before: Ids, tokens: Ids) -> Reading:
    try:
        told = _told(engine, before, n=len(tokens), held={"grammar": grammar(tokens)})
        if [each["id"] for each in told] == list(tokens):
            return joined([_reading(each, token) for each, token in zip(told, tokens, strict=True)])
    except BackendError:
        pass  # its grammar knows no such token
    return joined(
        [_read_token(engine, (*before, *tokens[:index]), token) for index, token in enumerate(tokens)]
    )


def grammar(tokens: Ids) -> str:
    """Return the grammar (GBNF) of the one answer that has these tokens."""
    return f"root ::= {' '.join(f'<[{token}]>' for token in tokens)}"


def _read_token(engine: Llama, before: Ids, token: int) -> Reading:
    told = _told(engine, before, n=1, held=_always(token))
    if not told:
        told = _told(engine, before, n=1, held=_always(engine.tokenize("a")[0]), listed=_ALL)
    return _reading(told[0] if told else {}, token)


def _always(token: int) -> Mapping[str, object]:
    return {"logit_bias": [[token, 1e6]]}


def _told(
    engine: Llama, before: Ids, *, n: int, held: Mapping[str, object], listed: int = 1
) -> Sequence[Json]:
    """Return what is told of each token that is written, and of the `listed` most probable ones there."""
    answer = engine.complete(
        {
            **held,
            "prompt": list(before),
            "n_predict": n,
            "n_probs": listed,
            "temperature": 0.0,
            "samplers": ["temperature"],
            "cache_prompt": True,
        }
    )
    told: Sequence[Json] = answer.get("completion_probabilities", ())
    return told


def _reading(told: Json, token: int) -> Reading:
    """Return what is told of a token, at its place or among those that are listed. Raises BackendError."""
    try:
        listed = told["top_logprobs"]
        known = [float(each["logprob"]) for each in (told, *listed) if each["id"] == token]
        greedy = listed[0]["id"] == token
    except (LookupError, TypeError) as error:
        raise BackendError(f"llama.cpp tells log-probabilities in an unknown form: {error!r}") from error
    if not known or known[0] < _NO_LOGARITHM:
        raise BackendError(f"llama.cpp gives no log-probability of the token {token}")
    return Reading((known[0],), (greedy,))


_ALL = 1 << 24
"""More tokens than a vocabulary has."""
_NO_LOGARITHM = -1e38
"""llama.cpp tells the lowest float32 for a probability that float32 rounds to 0."""
