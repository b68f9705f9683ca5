"""One answer of `gemma` as it is heard: both outputs become one generation, and nothing is guessed."""

from __future__ import annotations

from typing import Literal

from gemma_eval.backends.gemma_cpp.output import AnswerOutput, Notes
from gemma_eval.backends.gemma_cpp.process import Piece
from gemma_eval.errors import ContextOverflow
from gemma_eval.records import FinishReason, Generation, Options, SamplingProfile
from gemma_eval.sampling.effective import is_greedy


class Hearing:
    """What has come of an answer so far."""

    def __init__(self, profile: SamplingProfile, *, started_ns: int, context_tokens: int | None) -> None:
        """`started_ns` is when the process was started, `context_tokens` what it was told, if anything."""
        self.answer = AnswerOutput(profile.stop)
        self.notes = Notes()
        self.started_ns = started_ns
        self._last_ns = started_ns
        self._profile = profile
        self._context_tokens = context_tokens

    @property
    def is_reading(self) -> bool:
        """Whether the weights are loaded and the prompt is being read, or has been."""
        return self.notes.reading_ns is not None or self.answer.began_ns is not None

    @property
    def requested_ns(self) -> int:
        """When the program began to read the prompt; when it was started, if it does not say the former."""
        return self.started_ns if self.notes.reading_ns is None else self.notes.reading_ns

    def take(self, piece: Piece) -> None:
        """Take what was read. Raises ContextOverflow, and ValueError for what is no answer."""
        self._last_ns = piece.at_ns
        if piece.stream == "stdout":
            self.answer.push(piece.data, at_ns=piece.at_ns)
            return
        self.notes.push(piece.data, at_ns=piece.at_ns)
        overflow = self.notes.overflow(
            max_tokens=self._profile.max_tokens, context_tokens=self._context_tokens
        )
        if overflow:
            raise ContextOverflow(needed_tokens=overflow[0], limit_tokens=overflow[1])

    def whole(self) -> Generation:
        """Return the answer, which has ended well or met a stop string, and did so with the last read."""
        output_tokens, finish_reason = self._end()
        return self._generation(output_tokens, finish_reason, self._last_ns)

    def partial(self, reason: Literal["error", "timeout"], *, ended_ns: int) -> Generation | None:
        """Return what had come when it broke off; `None` when not even the prompt was read."""
        return self._generation(None, reason, ended_ns) if self.is_reading else None

    def _generation(self, output_tokens: int | None, reason: FinishReason, ended_ns: int) -> Generation:
        notes = self.notes
        timings: dict[str, float] = dict(notes.figures)
        if notes.reading_ns is not None:
            timings["load_ms"] = (notes.reading_ns - self.started_ns) / 1e6
        return Generation(
            text=self.answer.text,
            deltas=self.answer.deltas,
            prompt_tokens=self._prompt_tokens(),
            cached_tokens=0,
            output_tokens=output_tokens,
            count_source="engine",
            finish_reason=reason,
            requested_ns=self.requested_ns,
            headers_ns=self.answer.began_ns,
            usage_ns=notes.counted_ns,
            ended_ns=ended_ns,
            effective=effective(self._profile),
            engine_timings=timings,
        )

    def _prompt_tokens(self) -> int | None:
        """Return how many tokens were read: a dot for each, and one more than the prefill says it took."""
        if self.answer.began_ns is None:
            return None
        prefill = self.notes.figures.get("prefill_tokens")
        return self.answer.dots or self.notes.dots or (None if prefill is None else prefill + 1)

    def _end(self) -> tuple[int | None, FinishReason]:
        """Return how many tokens were written, and why there are no more.

        The program counts the token that ends a turn, which is no output. It does not say whether the last of
        as many as were allowed was such a token: then the answer counts as cut off, but for an empty one.
        """
        if self.answer.stopped:
            return None, "stop"
        counted = self.notes.figures.get("generated_tokens")
        if counted is None:
            return None, "stop"
        if counted < self._profile.max_tokens or not self.answer.has_tokens:
            return max(counted - 1, 0), "stop"
        return counted, "length"


def effective(profile: SamplingProfile) -> Options:
    """Return the parameters that decide a draw: the temperature and the best tokens that it is among."""
    if is_greedy(profile):
        return {"temperature": 0.0, "top_k": 1}
    return {"temperature": profile.temperature, "top_k": profile.top_k, "seed": "the program's own"}
