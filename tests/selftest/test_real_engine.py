"""K14: what is measured of a real llama-server agrees with what it measures itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from statistics import median

import pytest

from gemma_eval import plugins
from gemma_eval.backends.model_files import locate
from gemma_eval.measure.latency import measure
from gemma_eval.protocols import Backend
from gemma_eval.records import Generation, Message, ModelSpec, Prompt, SamplingProfile
from gemma_eval.selftest.arm import Arm, machine
from tests.llama_cpp import serve

ANSWERS = 15
TOKENS = 64
"""So few that a build which divides by n and one which divides by n - 1 differ by more than may be."""
MOST_RESIDUAL_MS: dict[Arm, float] = {"quiet": 5, "busy": 50}
MOST_TPOT_SHARE: dict[Arm, float] = {"quiet": 0.01, "busy": 0.1}
"""The busy arm is as much wider as the table has the time to first token of one stream."""
ATTEMPTS = 3


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """The shipped model in a real llama-server, asked over HTTP."""
    with serve(locate("@pocket.F32.gguf")) as engine:
        spec = ModelSpec(name="served", backend="openai_http", location=f"{engine.address}/v1")
        with closing(
            plugins.load().backends.find("openai_http")(spec, clock=time.perf_counter_ns, transforms={})
        ) as loaded:
            yield loaded


def answers(backend: Backend) -> tuple[list[Generation], Arm]:
    """Return answers of equal length to questions of which none is cached, and how busy the machine was."""
    profile = SamplingProfile(name="greedy", temperature=0.0, max_tokens=TOKENS, ignore_eos=True)

    def ask(number: int) -> Generation:
        turn = Message(role="user", content=f"{number} friends: where does Finn live?")
        return backend.generate(Prompt(messages=(turn,), text=None, n_tokens=None), profile=profile, seed=0)

    ask(0)
    made, busyness = machine(time.perf_counter_ns).watched(lambda: [ask(n + 1) for n in range(ANSWERS)])
    print(f"\n{busyness.arm} machine {busyness.reasons}")
    return made, busyness.arm


def residual_ms(generation: Generation) -> float | None:
    """Return the time of an answer that its engine spent neither reading nor writing, by its own clock.

    It is the way to the server and back, its queue, and its work on text. `None` where the engine does not
    tell its times, or no token came.
    """
    told = generation.engine_timings
    e2e_s = measure(generation).e2e_s
    if e2e_s is None or not {"prompt_ms", "decode_ms"} <= told.keys():
        return None
    return e2e_s * 1e3 - told["prompt_ms"] - told["decode_ms"]


def engine_tpot_ms(generation: Generation) -> float | None:
    """Return the time per output token by the engine's own clock, `None` where it does not tell.

    llama-server counts its time of writing from the first token on, so it is that of n - 1 tokens; builds
    that divide it by n give another rate for the same time.
    Source: ggml-org/llama.cpp:tools/server/server-common.h.
    """
    tokens = generation.output_tokens
    writing_ms = generation.engine_timings.get("decode_ms")
    return writing_ms / (tokens - 1) if writing_ms is not None and tokens and tokens > 1 else None


def residual(made: Sequence[Generation]) -> float:
    """Return the median time, in ms, that the engine spent neither reading nor writing."""
    found = [residual_ms(answer) for answer in made]
    return median(ms for ms in found if ms is not None)


def disagreement(made: Sequence[Generation]) -> float:
    """Return the median share by which the time per output token is another than the engine says."""
    shares = []
    for answer in made:
        ours_s, theirs_ms = measure(answer).tpot_s, engine_tpot_ms(answer)
        assert ours_s is not None
        assert theirs_ms is not None
        shares.append(abs(ours_s * 1e3 / theirs_ms - 1))
    return median(shares)


def test_the_times_agree_with_those_of_the_engine(backend: Backend) -> None:
    """What is left beside reading and writing is named and small; the time per token is the same."""
    for _ in range(ATTEMPTS):
        made, arm = answers(backend)
        left_ms, share = residual(made), disagreement(made)
        print(f"residual {left_ms:.3f} ms, time per output token off by {share:.2%}")
        if 0 < left_ms <= MOST_RESIDUAL_MS[arm] and share <= MOST_TPOT_SHARE[arm]:
            break
    assert {answer.output_tokens for answer in made} == {TOKENS}
    assert 0 < left_ms <= MOST_RESIDUAL_MS[arm]
    assert share <= MOST_TPOT_SHARE[arm]


def test_this_build_divides_by_n_minus_1(backend: Backend) -> None:
    """What it tells as the time per token is what its whole time is for all tokens but the first."""
    for answer in answers(backend)[0]:
        assert answer.engine_timings["predicted_per_token_ms"] == pytest.approx(
            engine_tpot_ms(answer), rel=1e-6
        )


def counted_one_more(answer: Generation) -> Generation:
    """Be wrong: take the time of writing for that of all n tokens."""
    return replace(answer, output_tokens=(answer.output_tokens or 0) + 1)


def ended_with_the_stream(answer: Generation) -> Generation:
    """Be wrong: stamp the last token 60 ms late."""
    *before, last = answer.deltas
    late = replace(last, n_tokens=1, text=" ", at_ns=answer.ended_ns + 60_000_000)
    return replace(
        answer, deltas=(*before, late), text=f"{answer.text} ", ended_ns=late.at_ns, output_tokens=TOKENS + 1
    )


def test_another_convention_would_be_caught(backend: Backend) -> None:
    """The check above can fail: at this length n instead of n - 1 is more than 1 % off."""
    made, _ = answers(backend)
    wrong = [
        abs((engine_tpot_ms(counted_one_more(answer)) or 0) / (engine_tpot_ms(answer) or 1) - 1)
        for answer in made
    ]
    assert min(wrong) > MOST_TPOT_SHARE["quiet"]


def test_an_answer_that_ends_too_late_is_caught(backend: Backend) -> None:
    """On either arm."""
    made, _ = answers(backend)
    late = [ended_with_the_stream(answer) for answer in made]
    assert residual(late) > MOST_RESIDUAL_MS["busy"]
    assert disagreement(late) > MOST_TPOT_SHARE["busy"]


@pytest.mark.parametrize("untold", [{}, {"prompt_ms": 1.0}, {"decode_ms": 1.0}])
def test_what_the_engine_does_not_tell_is_none(backend: Backend, untold: dict[str, float]) -> None:
    """Never 0."""
    [answer, *_], _ = answers(backend)
    assert residual_ms(replace(answer, engine_timings=untold)) is None
