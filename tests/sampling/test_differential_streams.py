"""What adapts from token to token, and whole seeded answers, against a real llama.cpp on its own logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from gemma_eval.gemma import decode
from gemma_eval.gemma.decode import all_logits
from gemma_eval.gemma.transformer import Transformer
from gemma_eval.sampling.candidates import Candidates
from gemma_eval.sampling.mirostat import Mirostat
from tests.sampling.differential import engine, exact, ours
from tests.sampling.differential.bench import POCKET, Asked, Bench
from tests.sampling.differential.verdict import SAME, TOLERANCE, judge

# --- what adapts from token to token -----------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("tau", [0.7, 3.0])
def test_mirostat_cuts_what_llama_cpp_cuts(version: int, tau: float, bench: Bench) -> None:
    """Over answers of 16 tokens to four prompts: μ moves alike on both sides, and every set is the same."""
    parameters = {"mirostat": version, "mirostat_tau": tau, "mirostat_eta": 0.3, "temperature": 1.3}
    cut = exact.mirostat if version == 2 else exact.mirostat_one
    compared = 0
    for asked in bench.prompts[:4]:
        trace = engine.trace(bench.engine, asked.ids, parameters, tokens=16, seed=11)
        sampler = ours.sampler(parameters, vocabulary=bench.vocabulary, seen=asked.ids, seed=11)
        mu = 2 * tau
        for token, before, after in zip(trace.tokens, trace.before, trace.after, strict=True):
            assert isinstance(sampler._last, Mirostat)
            assert sampler.mirostat_mu == pytest.approx(mu, abs=1e-3)
            judged = cut(before.astype(np.float64) / 1.3, mu)
            assert judge(judged, sampler._last.cut(sampler.narrow(before)), after) in SAME
            if sampler.draw(before) != token or not judged.allows(after > 0):
                break
            mu -= 0.3 * (exact.surprise(judged, token) - tau)
            compared += 1
    assert compared >= 16


def test_adaptive_p_draws_from_what_llama_cpp_draws_from(bench: Bench) -> None:
    """Over answers of 16 tokens to four prompts: the same favoured probabilities, the same tokens."""
    target, decay = 0.3, 0.8
    parameters = {"adaptive_target": target, "adaptive_decay": decay, "min_p": 0.01}
    for asked in bench.prompts[:4]:
        trace = engine.trace(bench.engine, asked.ids, parameters, tokens=16, seed=3)
        sampler = ours.sampler(parameters, vocabulary=bench.vocabulary, seen=asked.ids, seed=3)
        weight = 1 / (1 - decay)
        total = target * weight
        for token, before, after in zip(trace.tokens, trace.before, trace.after, strict=True):
            chances = exact.min_p(before.astype(np.float64), 0.01)
            aim = float(np.clip(2 * target - total / weight, 0, 1))
            favoured = exact.adaptive(chances.logits, aim)
            assert chances.undecided.any() or np.abs(favoured.probabilities - after).max() <= TOLERANCE
            assert sampler.draw(before) == token
            total = float(chances.probabilities[token]) + decay * total
            weight = 1 + decay * weight


# --- the same seed, the same tokens ------------------------------------------------------------------

DEFAULT_CHAIN: ours.Parameters = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
STREAMS: Mapping[str, ours.Parameters] = {
    "plain": {},
    "default chain": DEFAULT_CHAIN,
    "hot": {"temperature": 1.5, "min_p": 0.02, "order": ("temperature", "min_p")},
    "often one candidate": {"min_p": 0.9},
    "typical": {"typical_p": 0.7},
    "dynatemp": {"dynatemp_range": 0.7, "temperature": 0.9, "top_k": 100},
    "penalties": {
        "presence_penalty": 0.5,
        "frequency_penalty": 0.3,
        "penalty_last_n": 16,
        "temperature": 1.4,
    },
    "dry": {"dry_multiplier": 0.8, "temperature": 1.2, "min_p": 0.05},
    "xtc": {"xtc_probability": 0.5, "xtc_threshold": 0.1, "temperature": 1.2},
    "top-n-sigma": {"top_n_sigma": 1.0, "temperature": 1.5},
    "mirostat 1": {"mirostat": 1, "mirostat_tau": 2.0},
    "mirostat 2": {"mirostat": 2, "mirostat_tau": 2.0},
    "adaptive": {"adaptive_target": 0.4, "min_p": 0.02},
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer of llama.cpp, what we draw from the logits that it had, and how they part.

    `gap` is the probability that lies between the two first tokens that differ, in the order of the draw;
    `None` where all are the same. Rounding can part two answers only at neighbours, where it is 0.
    """

    theirs: tuple[int, ...]
    ours: tuple[int, ...]
    gap: float | None


def answered(bench: Bench, parameters: ours.Parameters, asked: Asked, *, seed: int, tokens: int) -> Answer:
    """Let llama.cpp answer, and draw in its place until another token comes out."""
    fields = engine.request(ours.profile(parameters))
    steps = bench.engine.drawn(asked.ids, n_predict=tokens, seed=seed, **fields)
    sampler = ours.sampler(parameters, vocabulary=bench.vocabulary, seen=asked.ids, seed=seed)
    theirs = tuple(step.token for step in steps)
    drawn: list[int] = []
    for step in steps:
        candidates = sampler.narrow(step.values)
        cut = sampler._last.cut(candidates) if isinstance(sampler._last, Mirostat) else candidates
        drawn.append(sampler._last.draw(candidates))
        sampler._seen.append(drawn[-1])
        if drawn[-1] != step.token:
            return Answer(theirs=theirs, ours=tuple(drawn), gap=between(cut, drawn[-1], step.token))
    return Answer(theirs=theirs, ours=tuple(drawn), gap=None)


def between(candidates: Candidates, one: int, other: int) -> float:
    """Return the probability of the candidates that stand between two of them."""
    places = [list(candidates.ids).index(token) if token in candidates.ids else -1 for token in (one, other)]
    return float(candidates.probabilities()[min(places) + 1 : max(places)].sum()) if min(places) >= 0 else 1.0


def answers(
    bench: Bench, name: str, *, prompts: int, seeds: Sequence[int], tokens: int
) -> tuple[Answer, ...]:
    """Return an answer per prompt and seed."""
    return tuple(
        answered(bench, STREAMS[name], asked, seed=seed, tokens=tokens)
        for asked in bench.prompts[:prompts]
        for seed in seeds
    )


@pytest.mark.parametrize("name", STREAMS)
def test_a_seed_draws_the_tokens_that_it_draws_in_llama_cpp(name: str, bench: Bench) -> None:
    """Three prompts and two seeds, 12 tokens each: answers part at neighbours only, and hardly ever.

    Typical is the exception: it is drawn in the order of distances from the entropy, which llama.cpp sums
    in float32, so that tokens of nearly equal distance change places.
    """
    found = answers(bench, name, prompts=3, seeds=(1, 2**32 - 2), tokens=12)
    parted = [answer.gap for answer in found if answer.gap is not None]
    assert all(gap < 1e-4 for gap in parted)
    assert len(parted) <= (2 if name == "typical" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMS)
def test_many_seeds_draw_the_tokens_that_they_draw_in_llama_cpp(name: str, bench: Bench) -> None:
    """Six prompts and eight seeds, 32 tokens each."""
    found = answers(bench, name, prompts=6, seeds=(*range(7), 2**32 - 2), tokens=32)
    parted = [answer.gap for answer in found if answer.gap is not None]
    assert all(gap < 1e-4 for gap in parted)
    assert len(parted) <= (len(found) / 5 if name == "typical" else 1)


# --- the same seed, two engines ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Part:
    """Where our engine, reading llama.cpp's answer along, would have drawn another token.

    `logits` is how far the log-probabilities of the two engines are apart there, `gap` the probability
    between the two tokens in the order of the draw.
    """

    logits: float
    gap: float


def parts(bench: Bench, model: Transformer, name: str, *, seeds: Sequence[int]) -> tuple[int, list[Part]]:
    """Return how many tokens llama.cpp drew, and where ours, from our own logits, is another."""
    drawn, found = 0, []
    fields = engine.request(ours.profile(STREAMS[name]))
    for asked in bench.prompts[:4]:
        for seed in seeds:
            steps = bench.engine.drawn(asked.ids, n_predict=16, seed=seed, **fields)
            tokens = [step.token for step in steps]
            logits = all_logits(model, [*asked.ids, *tokens])[len(asked.ids) - 1 :]
            sampler = ours.sampler(STREAMS[name], vocabulary=bench.vocabulary, seen=asked.ids, seed=seed)
            for step, row in zip(steps, logits, strict=False):
                candidates = sampler.narrow(row)
                cut = sampler._last.cut(candidates) if isinstance(sampler._last, Mirostat) else candidates
                token = sampler._last.draw(candidates)
                sampler._seen.append(step.token)
                drawn += 1
                if token != step.token:
                    apart = np.abs(exact.log_softmax(row.astype(np.float64)) - step.values)[token]
                    found.append(Part(logits=float(apart), gap=between(cut, token, step.token)))
                    break
    return drawn, found


@pytest.mark.parametrize("name", ["plain", "default chain", "mirostat 2"])
def test_a_seed_draws_the_same_answer_from_our_engine(name: str, bench: Bench) -> None:
    """Eight answers to four prompts, from our own logits: at most one parts from llama.cpp's.

    It does so at a neighbour in the order of the draw, where the engines' logits differ: llama.cpp takes
    GELU from a table in half precision.
    """
    drawn, found = parts(bench, decode.load(POCKET), name, seeds=(1, 42))
    assert drawn >= 16
    assert len(found) <= 1
    assert all(part.gap < 0.01 and 0 < part.logits < 0.01 for part in found)


# --- the comparison has teeth ------------------------------------------------------------------------


def test_the_comparison_of_streams_fails_on_a_number_of_the_stream_too_many(bench: Bench) -> None:
    """One number was spent before the answer: it parts, and not at neighbours only."""
    asked, hot = bench.prompts[1], {"temperature": 1.5}
    steps = bench.engine.drawn(asked.ids, n_predict=16, seed=1, **engine.request(ours.profile(hot)))
    sampler = ours.sampler(hot, vocabulary=bench.vocabulary, seen=asked.ids, seed=1)
    sampler._last.draw(sampler.narrow(steps[0].values))
    drawn = [sampler.draw(step.values) for step in steps]
    gaps = [
        between(sampler.narrow(step.values), token, step.token)
        for token, step in zip(drawn, steps, strict=True)
        if token != step.token
    ]
    assert max(gaps) > 0.01
