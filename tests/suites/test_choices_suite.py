"""The choices suite asks for what the world says, and its profiles do to it what their names say."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from math import sqrt

import pytest
from scipy import stats

import world
from gemma_eval import plugins
from gemma_eval.cases.expand import trials
from gemma_eval.config import shipped
from gemma_eval.executors.trials import run_trials
from gemma_eval.protocols import Backend
from gemma_eval.records import Case, Cell
from gemma_eval.stages import load_backend, stages
from gemma_eval.suite import load_suite

LEARNED = 0.03
"""How far the model's probabilities may lie from those that it was trained with (`test_choices`)."""
FAMILY = 1e-3
"""The probability that `misses` names an answer of a model that draws as it should, by chance alone."""
SUITE, CELLS = load_suite(shipped.suites_directory() / "choices.toml", plugins.load())


def asked(case: Case) -> tuple[str, str, float]:
    """Return prompt, answer and probability of a case."""
    return case.messages[-1].content, str(case.checks[0].options["text"]), case.variables["probability"]


@pytest.fixture(scope="module")
def pocket() -> Iterator[Backend]:
    """Load the shipped model."""
    backend = load_backend(CELLS[0].model, plugins.load(), clock=time.perf_counter_ns)
    yield backend
    backend.close()


def shares(backend: Backend, profile: str) -> Mapping[tuple[str, str, float], tuple[float, int]]:
    """Answer the cells of a profile as a run does: how often each answer came, and of how many draws."""
    stage = stages(plugins.load(), backend)
    values: dict[tuple[str, str, float], list[float]] = defaultdict(list)
    for cell in cells_of(profile):
        for outcome in run_trials(trials(cell), stage):
            assert outcome.score is not None
            values[asked(cell.case)].append(outcome.score)
    return {answer: (sum(found) / len(found), len(found)) for answer, found in values.items()}


def cells_of(profile: str) -> list[Cell]:
    """Return the cells of one profile."""
    return [cell for cell in CELLS if cell.profile.name == profile]


def misses(found: Mapping[tuple[str, str, float], tuple[float, int]]) -> list[str]:
    """Name the answers that came more often or less than learning and chance together allow."""
    far = float(stats.norm.isf(FAMILY / len(found) / 2))
    return [
        answer
        for (_, answer, probability), (share, draws) in found.items()
        if abs(share - probability) > LEARNED + far * sqrt(probability * (1 - probability) / draws)
    ]


def test_the_probabilities_are_those_of_the_world() -> None:
    """Every choice whose answers are not equally probable is asked for, whole: its cases sum to 1."""
    uneven = {
        prompt: dict(options)
        for prompt, options in world.CHOICES.items()
        if len({probability for _, probability in options}) > 1
    }
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for prompt, answer, probability in map(asked, SUITE.cases):
        assert found[prompt].setdefault(answer, probability) == probability
    assert found == uneven
    assert [sum(options.values()) for options in found.values()] == pytest.approx([1.0] * 3)


def test_every_answer_is_asked_for_as_often() -> None:
    """Five cases of its own: enough for an interval, and none draws with the seeds of another."""
    assert set(Counter(map(asked, SUITE.cases)).values()) == {5}
    seeds = [trial.seed for cell in cells_of("untouched") for trial in trials(cell)]
    assert len(set(seeds)) == len(seeds)


def test_the_mean_over_the_answers_of_a_choice_says_nothing(pocket: Backend) -> None:
    """Greedy gives one of them, always: its mean is the mean probability, which is one over their number."""
    found = shares(pocket, "greedy")
    assert sum(share for share, _ in found.values()) / len(found) == pytest.approx(3 / 11)
    assert sum(probability for _, _, probability in found) / len(found) == pytest.approx(3 / 11)


def test_untouched_lies_on_the_diagonal(pocket: Backend) -> None:
    """Each answer comes as often as it should, within what was learnt and what chance may add."""
    assert misses(shares(pocket, "untouched")) == []


@pytest.mark.parametrize(
    ("profile", "missed"),
    [
        ("greedy", {"Ada", "red", "Oslo"}),
        ("hot", {"Ada", "Oslo"}),
        ("xtc", {"Cleo", "black", "Lima"}),
    ],
)
def test_the_check_of_the_diagonal_fails_on_another_profile(
    profile: str, missed: set[str], pocket: Backend
) -> None:
    """The likeliest answer always, too seldom, or the unlikeliest too often."""
    assert missed <= set(misses(shares(pocket, profile)))


def test_mirostat_cuts_what_is_more_surprising_than_three_bits(pocket: Backend) -> None:
    """Its first bound is twice a target of 1.5 bits, a probability of 1/8: of those below, none comes."""
    for (_, answer, probability), (share, _) in shares(pocket, "mirostat-v2").items():
        assert (share == 0) == (probability < 1 / 8), answer
