"""The long contexts show what theory says: past the trained length only stretched positions find."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

import items
from gemma_eval import plugins
from gemma_eval.cases.expand import trials
from gemma_eval.config import shipped
from gemma_eval.protocols import Backend
from gemma_eval.records import Cell, Retrieved, RopeScaling
from gemma_eval.run import run_trial
from gemma_eval.stages import load_backend, stages
from gemma_eval.stats.intervals import of_scores, student_t
from gemma_eval.suite import load_suite

TRAINED_TOKENS = 384
FACTOR = 4
STRETCHED = ("pocket-linear", "pocket-ntk", "pocket-dynamic", "pocket-yarn")
WITHIN, BEYOND, LONGEST = 44, 100, 200
"""Lines of hay: within the trained length, twice beyond it, and four times."""


@cache
def suite_cells() -> tuple[Cell, ...]:
    """Return the cells of the three shipped suites."""
    registry = plugins.load()
    names = ("long_context", "long_context_position", "every_layer")
    suites = (shipped.suites_directory() / f"{name}.toml" for name in names)
    return tuple(cell for path in suites for cell in load_suite(path, registry)[1])


@cache
def engine(model: str) -> Backend:
    """Load a model of the suite once."""
    spec = next(cell.model for cell in suite_cells() if cell.model.name == model)
    return load_backend(spec, plugins.load(), clock=time.perf_counter_ns)


@cache
def variant(*factors: float) -> Backend:
    """Load the pocket model with each of its 16 pairs stretched by its own factor."""
    scaling = RopeScaling(
        rope_type="longrope",
        factor=FACTOR,
        original_max_position_embeddings=TRAINED_TOKENS,
        short_factor=factors,
        long_factor=factors,
        attention_factor=1.0,
    )
    spec = replace(suite_cells()[0].model, name="variant", rope_scaling=scaling)
    return load_backend(spec, plugins.load(), clock=time.perf_counter_ns)


def chosen(series: str, model: str, *, length: int, depths: Sequence[float]) -> list[Cell]:
    """Return the cells of one point of a chart."""
    return [
        cell
        for cell in suite_cells()
        if (cell.case.series, cell.model.name) == (series, model)
        and cell.case.variables["length"] == length
        and cell.case.variables["depth"] in depths
    ]


def scores(series: str, model: str, *, length: int, depths: Sequence[float] = (0.0,)) -> list[float]:
    """Answer the cells of one point as a run does, and return their scores."""
    return answered(engine(model), chosen(series, model, length=length, depths=depths))


def answered(backend: Backend, cells: Sequence[Cell]) -> list[float]:
    """Answer cells as a run does, and return their scores."""
    stage = stages(plugins.load(), backend)
    found = []
    for cell in cells:
        outcome = run_trial(trials(cell)[0], stage)
        assert outcome.failure is None, outcome.failure
        value = outcome.scores[0].value
        assert value is not None, outcome.scores[0].explanation
        found.append(value)
    return found


def above(higher: Sequence[float], lower: Sequence[float]) -> bool:
    """Say whether the interval of one mean lies wholly above that of another."""
    low, high = of_scores(higher).low, of_scores(lower).high
    return low is not None and high is not None and low > high


def test_the_hay_tells_each_thing_once() -> None:
    """Every line is one fact, and no two tell the same of the same: the hay contradicts nothing."""
    lines = (shipped.suites_directory() / "docs" / "long-hay.md").read_text(encoding="utf-8").splitlines()
    told = [tuple(items.fact_items(line)) for line in lines]
    assert {len(facts) for facts in told} == {1}
    assert len({facts[0].parts[:2] for facts in told}) == len(lines) >= LONGEST


def test_the_hay_holds_nothing_of_a_needle() -> None:
    """Neither its person nor, as anyone's home, its city: what is found was found in the needle."""
    hay = (shipped.suites_directory() / "docs" / "long-hay.md").read_text(encoding="utf-8")
    needles = {fact for cell in suite_cells() for fact in items.fact_items(cell.case.cluster or "")}
    assert len(needles) == 8
    for _, person, city in (needle.parts for needle in needles):
        assert f" {person} " not in hay
        assert f"in {city}." not in hay


def test_the_lengths_span_the_trained_length_and_four_times_it() -> None:
    """The prompts of 44 lines are short of 384 tokens, the others beyond, and the longest below 1,536."""
    stage = stages(plugins.load(), engine("pocket"))
    tokens = dict.fromkeys((16, WITHIN, 72, BEYOND, 136, LONGEST), 0)
    for length in tokens:
        cell = chosen("needle", "pocket", length=length, depths=(0.0,))[0]
        tokens[length] = stage.build_prompt(trials(cell)[0], Retrieved()).n_tokens or 0
    assert 0 < tokens[16] < tokens[WITHIN] <= TRAINED_TOKENS < 1.4 * TRAINED_TOKENS < tokens[72]
    assert tokens[BEYOND] == pytest.approx(2 * TRAINED_TOKENS, rel=0.05)
    assert tokens[LONGEST] == pytest.approx(FACTOR * TRAINED_TOKENS, rel=0.05)
    assert tokens[LONGEST] + 8 <= FACTOR * TRAINED_TOKENS


def test_within_the_trained_length_the_needle_is_found() -> None:
    """At the far end of 44 lines, stretched or not: stretching costs nothing there."""
    for model in ("pocket", "pocket-yarn"):
        assert sum(scores("needle", model, length=WITHIN)) >= 7


def test_past_the_trained_length_only_the_stretched_model_finds_the_needle() -> None:
    """At the far end of 100 lines, twice the trained length, with intervals that do not touch."""
    plain = scores("needle", "pocket", length=BEYOND)
    assert above(scores("needle", "pocket-yarn", length=BEYOND), plain)
    assert above(scores("needle", "pocket", length=WITHIN), plain)


def test_it_is_the_distance_that_loses_the_needle_and_not_the_number_of_lines() -> None:
    """The unstretched model finds it among 100 lines when it stands next to the question."""
    assert sum(scores("needle", "pocket", length=BEYOND, depths=(1.0,))) == 8


def test_the_pairs_that_never_turned_once_in_training_lose_the_needle() -> None:
    """Stretching those ten pairs alone finds it again; stretching the six that turned does not."""
    cells = chosen("needle", "pocket", length=BEYOND, depths=(0.0,))
    turns = [TRAINED_TOKENS / (2 * math.pi * 100_000 ** (pair / 16)) for pair in range(16)]
    slow = answered(variant(*(1.0 if turn > 1 else float(FACTOR) for turn in turns)), cells)
    fast = answered(variant(*(float(FACTOR) if turn > 1 else 1.0 for turn in turns)), cells)
    assert sum(turn > 1 for turn in turns) == 6
    assert above(slow, fast)


def test_a_model_is_not_above_itself() -> None:
    """The comparison above can fail: without a difference it sees none."""
    plain = scores("needle", "pocket", length=16)
    assert not above(plain, plain)
    assert not above([0.0] * 8, [1.0] * 8)


def test_linear_scaling_of_every_layer_loses_what_is_near_and_yarn_does_not() -> None:
    """Linear scaling needs fine-tuning: neighbours stand closer than they ever did in training."""
    linear = scores("every-layer", "pocket-linear-all", length=16, depths=(0.5,))
    assert above(scores("every-layer", "pocket-yarn-all", length=16, depths=(0.5,)), linear)
    assert above(scores("every-layer", "pocket-linear", length=16, depths=(0.5,)), linear)


def test_the_right_answer_is_improbable_where_the_needle_is_out_of_reach() -> None:
    """Perplexity by position, at four times the trained length: far, unstretched against YaRN, and near."""
    far = scores("position", "pocket", length=LONGEST)
    near = scores("position", "pocket", length=LONGEST, depths=(1.0,))
    assert max(far) < 0.05
    assert above(near, far)
    assert above(scores("position", "pocket-yarn", length=LONGEST), far)


@pytest.mark.slow
def test_the_curves_differ_as_theory_says() -> None:
    """Who holds how far: the share of the eight needles that is found at the far end, with its interval.

    A static base of 4 to the power d / (d - 2) stretches only the slowest pair by four, the others by less,
    so it holds for twice the trained length and not for four times; its dynamic form, with a larger base at
    that length, and YaRN do.
    """
    points = {
        (model, length): scores("needle", model, length=length)
        for model in ("pocket", *STRETCHED)
        for length in (WITHIN, BEYOND, LONGEST)
    }
    for model in STRETCHED:
        assert above(points[model, BEYOND], points["pocket", BEYOND])
        assert sum(points[model, WITHIN]) >= 7
    for model in ("pocket-linear", "pocket-dynamic", "pocket-yarn"):
        assert above(points[model, LONGEST], points["pocket", LONGEST])
    assert above(points["pocket-yarn", LONGEST], points["pocket-ntk", LONGEST])


@pytest.mark.slow
def test_likelihood_falls_with_distance_only_without_scaling() -> None:
    """The logarithm of the right answer's probability, nearest minus farthest, with its interval."""

    def fall(model: str) -> list[float]:
        near = scores("position", model, length=LONGEST, depths=(1.0,))
        far = scores("position", model, length=LONGEST, depths=(0.0,))
        return [math.log(a) - math.log(b) for a, b in zip(near, far, strict=True)]

    plain, yarn = student_t(fall("pocket")), student_t(fall("pocket-yarn"))
    assert plain.low is not None
    assert yarn.high is not None
    assert yarn.high < 1
    assert plain.low > 5
