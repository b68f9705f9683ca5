"""Replays replies that were written beforehand: a backend for tests, with no model and exact timing.

    [model.echo]
    backend = "scripted"
    location = "-"
    options = { replies = ["Oslo", "Rome"], ttft_ms = 40, tpot_ms = 5 }

`reply` is the one answer, `replies` are several, of which trial seed modulo their number chooses one, so
that a trial always gets the same. A token is a word with the space before it. Deltas are stamped `ttft_ms`
after the request and `tpot_ms` apart *on paper*: nothing waits, the clock is read once.

`stream` gives the one answer piece by piece instead, each as `"milliseconds tokens text"`:

    options = { stream = ["5 0", "245 1 It", "285 2  is Oslo"] }

It is replayed as it stands, whatever `max_tokens` and `stop` say; `0` tokens and no text are a piece that
bears none, and `?` tokens are tokens that nobody counted.

`pause_ms` really waits before the answer, for tests that interrupt a run. `fail` makes every generation
raise BackendError with that message.
`context_tokens` of the model is respected. Sampling parameters but `max_tokens` and `stop` mean nothing here:
a profile may have them, so that suites of any profile can be tried out. Rope scaling is refused, and so is
reading a continuation, which has no probability here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from gemma_eval import __version__
from gemma_eval.backends.answer import Answer
from gemma_eval.backends.capabilities import EVERY_SAMPLING
from gemma_eval.errors import BackendError, ContextOverflow, UnknownName, WrongSetting
from gemma_eval.files.rows import show
from gemma_eval.protocols import Clock, Tell, TransformFactory
from gemma_eval.records import Delta, EngineInfo, FinishReason, Generation, ModelSpec, Prompt, SamplingProfile

OPTIONS = ("reply", "replies", "stream", "ttft_ms", "tpot_ms", "pause_ms", "fail")


class Load:
    """Builds the backend from the options of a model; `location` and `transforms` are not used."""

    capabilities = EVERY_SAMPLING

    def check(self, spec: ModelSpec) -> None:
        """Look at the options of a model. Raises UnknownName, WrongSetting."""
        self(spec, clock=lambda: 0, transforms={})

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Refuse to stretch positions, which replies do not have; how they are sampled means nothing here."""
        del profile
        return None if spec.rope_scaling is None else "replays replies and has no rope_scaling"

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> Scripted:
        """Return the backend. Raises UnknownName for an unknown option, WrongSetting for a wrong value."""
        del transforms
        for option in spec.options:
            if option not in OPTIONS:
                raise UnknownName(f"option of the model {spec.name} (backend scripted)", option, OPTIONS)
        return Scripted(
            replies=_replies(spec),
            stream=_stream(spec),
            ttft_ns=_nanoseconds(spec, "ttft_ms"),
            tpot_ns=_nanoseconds(spec, "tpot_ms"),
            pause_ns=_nanoseconds(spec, "pause_ms"),
            fail=_text(spec, "fail", spec.options["fail"]) if "fail" in spec.options else None,
            context_tokens=spec.context_tokens,
            clock=clock,
        )


load = Load()


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """The replies and how long they pretend to take in nanoseconds; or a `stream`, from the request on."""

    replies: tuple[str, ...]
    stream: tuple[Delta, ...]
    ttft_ns: int
    tpot_ns: int
    pause_ns: int
    fail: str | None
    context_tokens: int | None
    clock: Clock

    @property
    def chat_template(self) -> str | None:
        """`None`: the prompt is read as messages."""
        return None

    def info(self) -> EngineInfo:
        """Say that no model is driven."""
        return EngineInfo(
            engine="scripted",
            version=__version__,
            model_sha256=None,
            parameters=None,
            context_tokens=self.context_tokens,
            threads=None,
        )

    def count_tokens(self, text: str) -> int:
        """Count the words of `text`."""
        return len(_words(text))

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Replay the reply of `seed`, cut at `max_tokens` and at stop strings. Raises BackendError."""
        requested_ns = self.clock()
        if self.fail is not None:
            raise BackendError(self.fail)
        prompt_tokens = self._prompt_tokens(prompt, profile)
        if self.pause_ns:
            time.sleep(self.pause_ns / 1e9)
        if self.stream:
            return _replayed(self.stream, requested_ns=requested_ns, prompt_tokens=prompt_tokens)
        words = _words(self.replies[seed % len(self.replies)])
        answer = Answer(profile.stop)
        for index, word in enumerate(words[: profile.max_tokens]):
            answer.add(word, at_ns=requested_ns + self.ttft_ns + index * self.tpot_ns)
            if answer.stopped:
                break
        answer.finish()
        reason: FinishReason = "stop" if answer.stopped or len(words) <= profile.max_tokens else "length"
        return Generation(
            text=answer.text,
            deltas=answer.deltas,
            prompt_tokens=prompt_tokens,
            cached_tokens=0,
            output_tokens=answer.n_tokens,
            count_source="engine",
            finish_reason=reason,
            requested_ns=requested_ns,
            ended_ns=answer.deltas[-1].at_ns if answer.deltas else requested_ns + self.ttft_ns,
            effective={"max_tokens": profile.max_tokens},
        )

    def generate_streaming(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, tell: Tell
    ) -> Generation:
        """Answer as `generate` does, and `tell` the text of each delta, all of them at once."""
        made = self.generate(prompt, profile=profile, seed=seed)
        for delta in made.deltas:
            tell(delta.text)
        return made

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def _prompt_tokens(self, prompt: Prompt, profile: SamplingProfile) -> int:
        read = prompt.text if prompt.text is not None else " ".join(turn.content for turn in prompt.messages)
        count = self.count_tokens(read)
        limit = self.context_tokens
        if limit is not None and count + profile.max_tokens > limit:
            raise ContextOverflow(needed_tokens=count + profile.max_tokens, limit_tokens=limit)
        return count


def _replayed(stream: tuple[Delta, ...], *, requested_ns: int, prompt_tokens: int) -> Generation:
    """Return an answer of these deltas, whose stamps count from the request."""
    counts = [delta.n_tokens for delta in stream]
    known = [count for count in counts if count is not None]
    return Generation(
        text="".join(delta.text for delta in stream),
        deltas=tuple(replace(delta, at_ns=requested_ns + delta.at_ns) for delta in stream),
        prompt_tokens=prompt_tokens,
        cached_tokens=0,
        output_tokens=sum(known) if len(known) == len(counts) else None,
        count_source="engine",
        finish_reason="stop",
        requested_ns=requested_ns,
        ended_ns=requested_ns + stream[-1].at_ns,
    )


def _words(text: str) -> list[str]:
    """Divide `text` into words, each with the space before it; the pieces joined are `text`."""
    return re.findall(r"\s*\S+|\s+$", text)


def _replies(spec: ModelSpec) -> tuple[str, ...]:
    if "replies" not in spec.options:
        return (_text(spec, "reply", spec.options.get("reply", "I do not know.")),)
    given = spec.options["replies"]
    if not isinstance(given, tuple):
        raise _wrong(spec, "replies", f"replies = {show(given)}; a list of texts is needed")
    if not given:
        raise _wrong(spec, "replies", "replies is empty; give at least one")
    return tuple(_text(spec, "replies", reply) for reply in given)


def _text(spec: ModelSpec, option: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(spec, option, f"{option} = {show(spec.options[option])}; a text is needed")


def _stream(spec: ModelSpec) -> tuple[Delta, ...]:
    given = spec.options.get("stream", ())
    pieces = given if isinstance(given, tuple) else (given,)
    stream = tuple(_delta(spec, str(piece)) for piece in pieces)
    if any(later.at_ns < earlier.at_ns for earlier, later in pairwise(stream)):
        raise _wrong(spec, "stream", "the times of stream go back; give them in order")
    return stream


def _delta(spec: ModelSpec, piece: str) -> Delta:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) (\d+|\?)(?: (.*))?", piece, flags=re.DOTALL)
    if found is None:
        what = f'stream has "{piece}"; it should be milliseconds, tokens and text, as "245 1 It"'
        raise _wrong(spec, "stream", what)
    at_ms, tokens, text = found.groups()
    n_tokens = None if tokens == "?" else int(tokens)
    return Delta(text=text or "", n_tokens=n_tokens, at_ns=round(float(at_ms) * 1e6))


def _nanoseconds(spec: ModelSpec, option: str) -> int:
    value = spec.options.get(option, 0)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise _wrong(spec, option, f"{option} = {show(value)}; milliseconds of at least 0 are needed")
    return round(value * 1e6)


def _wrong(spec: ModelSpec, option: str, what: str) -> WrongSetting:
    return WrongSetting(spec.name, "options", option, what=what)
