"""One answer being written: tokens are drawn, stamped and decoded until it ends."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from gemma_eval.backends.answer import Answer
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.tokenizer import TextStream
from gemma_eval.protocols import Clock, Tell
from gemma_eval.records import FinishReason, SamplingProfile
from gemma_eval.sampling.chain import Sampler


class Writing:
    """The sampler, the text and the end of one answer."""

    def __init__(
        self,
        profile: SamplingProfile,
        *,
        sampler: Sampler,
        stream: TextStream,
        stop_ids: Collection[int],
        clock: Clock,
        tell: Tell | None = None,
    ) -> None:
        """`stop_ids` end the answer and are no part of it, as `profile.stop` and `profile.max_tokens` do.

        With `profile.ignore_eos` they are never drawn. `tell` is told the text of each delta.
        """
        self.answer = Answer(profile.stop, tell=tell)
        self.finish_reason: FinishReason = "length"
        self.ended_ns = 0
        self._sampler = sampler
        self._stream = stream
        self._stop_ids = stop_ids
        self._clock = clock
        self._left = profile.max_tokens
        self._never = np.array(sorted(stop_ids) if profile.ignore_eos else [], dtype=np.intp)

    def write(self, logits: Array) -> int | None:
        """Draw a token from logits [V]; return it, or `None` when it was the last. Raises NonFiniteLogits.

        A token is stamped when it has been drawn, before its text is decoded.
        """
        if self._never.size:
            logits = logits.copy()
            logits[self._never] = -np.inf
        token = self._sampler.draw(logits)
        at_ns = self._clock()
        self._left -= 1
        ends = token in self._stop_ids
        if not ends:
            self.answer.add(self._stream.push(token), at_ns=at_ns)
        if not ends and self._left > 0 and not self.answer.stopped:
            return token
        self._end("stop" if ends else "length")
        return None

    def _end(self, reason: FinishReason) -> None:
        """Close the answer; a stop string in it is a reason of its own."""
        if not self.answer.stopped:
            self.answer.finish(self._stream.finish())
        self.finish_reason = "stop" if self.answer.stopped else reason
        self.ended_ns = self._clock()
