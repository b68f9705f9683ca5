"""Texts that are read instead of written: a continuation of a prompt, or several of which one is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from gemma_eval.backends.beginning import begun
from gemma_eval.backends.seam import divided
from gemma_eval.backends.windows import windows
from gemma_eval.errors import BackendError, NonFiniteLogits
from gemma_eval.gemma.reading import Reading, joined
from gemma_eval.protocols import ChoosingBackend, Clock, ReadingBackend
from gemma_eval.records import ChoiceReading, Delta, Generation, Prompt

Ids = Sequence[int]
ReadBeside = Callable[[Ids, Sequence[Ids]], Sequence[Reading]]
"""Reads the tokens of several texts, each after those that stand before all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Reads with an engine that is told tokens.

    `encode` returns the ids of a text, none added, `beginning` the one that an empty prompt consists of, and
    `added` the one that the tokenizer puts before every text, `None` where it puts none. `demand` raises
    BackendError for ids that the engine cannot read. At once it reads `most_tokens`, `None` where nothing
    limits them.
    """

    encode: Callable[[str], tuple[int, ...]]
    beginning: Callable[[], int | None]
    demand: Callable[[Ids], None]
    read_beside: ReadBeside
    clock: Clock
    most_tokens: int | None
    added: Callable[[], int | None] = lambda: None

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read `continuation` after `prompt.text` and say how probable each of its tokens is.

        Its tokens follow those of the prompt, and none spans both: `backends.seam`. After an empty prompt it
        is read from its beginning, and what the context does not hold in pieces: `backends.windows`. Raises
        BackendError, ContextOverflow, NonFiniteLogits.
        """
        requested_ns = self.clock()
        read = self._read if prompt.text != "" else self._read_from_beginning
        before, known = read(prompt, (continuation,), what="the continuation")
        return self._answer(known, prompt_tokens=len(before), requested_ns=requested_ns)

    def read_choices(self, prompt: Prompt, *, choices: Sequence[str], unconditional: bool) -> Generation:
        """Read each of `choices` as `read` would. Raises as that does."""
        requested_ns = self.clock()
        before, known = self._read(prompt, choices, what="a choice")
        if unconditional:
            alone = self._readings(
                self._empty_prompt(), [self.encode(each) for each in choices], what="a choice"
            )
            known = tuple(
                replace(choice, unconditional=math.fsum(reading.log_probabilities))
                for choice, reading in zip(known, alone, strict=True)
            )
        return self._answer(known, prompt_tokens=len(before), requested_ns=requested_ns)

    def _read(
        self, prompt: Prompt, texts: Sequence[str], *, what: str
    ) -> tuple[Ids, tuple[ChoiceReading, ...]]:
        """Return the ids of the prompt, and what each text is after it."""
        if prompt.text is None:
            raise BackendError(
                "the prompt has no text; its messages need a chat_template to be rendered with"
            )
        if not texts:
            raise BackendError("there are no choices; give one at least")
        if "" in texts:
            raise BackendError(f"{what} is empty; at least one token is needed")
        encode = cache(self.encode)  # the prompt's ids are the same for each text
        pairs = [divided(prompt.text, text, encode=encode) for text in texts]
        before = begun(pairs[0][0], self.added())
        readings = self._readings(before, [tokens for _, tokens in pairs], what=what)
        return before, tuple(_known(text, reading) for text, reading in zip(texts, readings, strict=True))

    def _read_from_beginning(
        self, prompt: Prompt, texts: Sequence[str], *, what: str
    ) -> tuple[Ids, tuple[ChoiceReading, ...]]:
        """Return what an empty prompt consists of, and what each text is after it."""
        (beginning,) = before = self._empty_prompt()
        known = []
        for text in texts:
            pieces = windows(self.encode(text), beginning=beginning, most_tokens=self.most_tokens)
            readings = [self._readings(some, [piece], what=what)[0] for some, piece in pieces]
            known.append(_known(text, joined(readings)))
        return before, tuple(known)

    def _empty_prompt(self) -> Ids:
        token = self.beginning()
        if token is None:
            raise BackendError("no token of the model begins a text, so nothing can follow an empty prompt")
        return (token,)

    def _readings(self, before: Ids, texts: Sequence[tuple[int, ...]], *, what: str) -> list[Reading]:
        """Return the reading of each text; those that are equal are read once, so that they stay equal."""
        distinct = tuple(dict.fromkeys(texts))
        if not before:
            raise BackendError("the prompt is empty; at least one token is needed")
        for text in distinct:
            if not text:
                raise BackendError(f"{what} is empty; at least one token is needed")
            self.demand((*before, *text))
        known = dict(zip(distinct, self.read_beside(before, distinct), strict=True))
        if not all(math.isfinite(value) for each in known.values() for value in each.log_probabilities):
            raise NonFiniteLogits(f"a logit of {what} is not finite (weights or arithmetic are broken)")
        return [known[text] for text in texts]

    def _answer(
        self, choices: tuple[ChoiceReading, ...], *, prompt_tokens: int, requested_ns: int
    ) -> Generation:
        """Return what was read as an answer: the most probable of the choices."""
        best = choices[most_probable(choices)]
        ended_ns = self.clock()
        return Generation(
            text=best.text,
            deltas=(Delta(text=best.text, n_tokens=len(best.log_probabilities), at_ns=ended_ns),),
            prompt_tokens=prompt_tokens,
            cached_tokens=0,
            output_tokens=len(best.log_probabilities),
            count_source="engine",
            finish_reason="stop",
            requested_ns=requested_ns,
            ended_ns=ended_ns,
            engine_timings={"prompt_ms": (ended_ns - requested_ns) / 1e6},
            log_probabilities=best.log_probabilities,
            choices=choices,
        )


def read(backend: ReadingBackend, prompt: Prompt, *, continuation: str) -> Generation:
    """Read `continuation` after `prompt`; for a backend that only reads an empty one is `<bos>`.

    Raises BackendError.
    """
    if prompt.text == "" and not isinstance(backend, ChoosingBackend):
        prompt = replace(prompt, text=_EMPTY, n_tokens=1)
    return backend.read(prompt, continuation=continuation)


def read_choices(
    backend: ReadingBackend, prompt: Prompt, *, choices: Sequence[str], unconditional: bool
) -> Generation:
    """Read each of `choices` after `prompt`: together where the backend can, else one after the other.

    One after the other the prompt is read for each, `is_greedy` is told by none, and an empty prompt is
    `<bos>`. Raises BackendError.
    """
    if isinstance(backend, ChoosingBackend):
        return backend.read_choices(prompt, choices=choices, unconditional=unconditional)
    if not choices:
        raise BackendError("there are no choices; give one at least")
    made = [backend.read(prompt, continuation=choice) for choice in choices]
    alone: list[Generation] = []
    if unconditional:
        empty = replace(prompt, messages=(), text=_EMPTY, n_tokens=1)
        alone = [backend.read(empty, continuation=choice) for choice in choices]
    if not all(each.log_probabilities for each in (*made, *alone)):
        raise BackendError("the engine gave no log-probabilities for a choice")
    known = [
        ChoiceReading(text=choice, log_probabilities=each.log_probabilities or ())
        for choice, each in zip(choices, made, strict=True)
    ]
    if alone:
        sums = [math.fsum(each.log_probabilities or ()) for each in alone]
        known = [replace(each, unconditional=value) for each, value in zip(known, sums, strict=True)]
    return replace(
        made[most_probable(known)],
        requested_ns=made[0].requested_ns,
        ended_ns=made[-1].ended_ns,
        choices=tuple(known),
    )


def most_probable(choices: Sequence[ChoiceReading]) -> int:
    """Return the index of the most probable of the choices, of equals that of the first."""
    sums = [math.fsum(choice.log_probabilities) for choice in choices]
    return sums.index(max(sums))


def _known(text: str, reading: Reading) -> ChoiceReading:
    return ChoiceReading(
        text=text, log_probabilities=reading.log_probabilities, is_greedy=all(reading.greedy)
    )


_EMPTY = "<bos>"
"""An empty prompt as a text, for who has no other word for it."""
