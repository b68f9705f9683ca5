"""Scorers of how long an answer is and how long it took; their value is 1 within the limits, else 0."""

from __future__ import annotations

from collections.abc import Mapping

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Case, Generation, Options, Score
from gemma_eval.scoring.findings import Finding, score_of, scorer_of
from gemma_eval.scoring.options import CheckOptions


def word_count(options: Options) -> Scorer:
    """The answer has at least `least` and at most `most` words, which space separates."""
    limits = _Limits("word_count", options)
    return scorer_of("word_count", lambda text: limits.judge(len(text.split()), text, what="word"))


def token_count(options: Options) -> Scorer:
    """The engine counted at least `least` and at most `most` tokens of the answer, those of thoughts too."""
    limits = _Limits("token_count", options)

    def score(case: Case, generation: Generation) -> Score:
        n, answer = generation.output_tokens, generation.text.strip()
        if n is None:
            found = Finding(value=None, answer=answer, why="the engine gave no count of output tokens")
        else:
            found = limits.judge(n, answer, what="token")
        return score_of("token_count", found)

    return score


def latency(options: Options) -> Scorer:
    """The last token came within `max_s` seconds of the request, the first within `max_ttft_s`.

    These are `e2e_s` and `ttft_s` of docs/metrics.md. Of an answer that was decoded together with others,
    asked for again, or read, neither is known; it is unscored.
    """
    given = CheckOptions("latency", options, known=("max_s", "max_ttft_s"))
    limits = {name: given.number(name, least=0.0) for name in given.given("max_s", "max_ttft_s")}
    if not limits:
        raise UsageError('latency: give "max_s", "max_ttft_s" or both')

    def score(case: Case, generation: Generation) -> Score:
        reason = _untimed(case, generation)
        times = _times_s(generation)
        missing = [name for name in limits if name not in times]
        if reason is None and missing:
            reason = "the answer came in one piece" if generation.text else "no token came"
        if reason is not None:
            return score_of("latency", Finding(value=None, answer="", why=reason))
        return score_of("latency", _within(times, limits))

    return score


class _Limits:
    """At least and at most so many of something."""

    def __init__(self, scorer: str, options: Options) -> None:
        given = CheckOptions(scorer, options, known=("least", "most"))
        if not options:
            raise UsageError(f'{scorer}: give "least", "most" or both')
        self._least = given.whole("least") or 0
        self._most = given.whole("most")
        if self._most is not None and self._most < self._least:
            raise UsageError(f'{scorer}: "most" must be at least "least", {self._least}, not {self._most}')

    def judge(self, n: int, text: str, *, what: str) -> Finding:
        """Return whether `n` lies within the limits."""
        few, many = n < self._least, self._most is not None and n > self._most
        counted = f"{n} {what}" if n == 1 else f"{n} {what}s"
        limit = f"at least {self._least}" if few else f"at most {self._most}"
        return Finding(
            value=float(not few and not many),
            answer=text.strip(),
            why=f"{counted}, {limit} wanted" if few or many else "",
            figures={f"n_{what}s": n},
        )


_NS = 1_000_000_000


def _untimed(case: Case, generation: Generation) -> str | None:
    """Return why the times of this answer are not those that a model alone would have taken."""
    if case.is_read:
        return "the text was read, not written"
    if case.cache is not None:
        return "the case has a cache, whose times are not those of the model"
    if generation.batch_size > 1:
        return f"{generation.batch_size} answers were decoded together, so that none has a time of its own"
    if generation.attempts:
        return "the first request failed, and another was made"
    if generation.finish_reason in ("error", "timeout"):
        return "the answer broke off"
    return None


def _times_s(generation: Generation) -> Mapping[str, float]:
    """Return the seconds to the first and to the last token, as far as they are known."""
    bearing = [
        delta.at_ns
        for delta in generation.deltas
        if (bool(delta.text) if delta.n_tokens is None else delta.n_tokens > 0)
    ]
    began = generation.requested_ns
    if not generation.streamed:
        return {"max_s": (generation.ended_ns - began) / _NS} if generation.text else {}
    if not bearing:
        return {}
    return {"max_s": (bearing[-1] - began) / _NS, "max_ttft_s": (bearing[0] - began) / _NS}


def _within(times: Mapping[str, float], limits: Mapping[str, float]) -> Finding:
    named = {"max_s": ("e2e_s", "the last token"), "max_ttft_s": ("ttft_s", "the first token")}
    late = [
        f"{named[name][1]} came after {times[name]:.4g} s, {limit:g} s allowed"
        for name, limit in limits.items()
        if times[name] > limit
    ]
    figures = {named[name][0]: value for name, value in times.items()}
    return Finding(value=float(not late), answer="", why="; ".join(late), figures=figures)
