"""An imported task asks, stops and scores as lm-evaluation-harness does: its own recording is the oracle.

fixtures/lm_eval.json was recorded with lm_eval 0.4.13 by fixtures/record_lm_eval.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gemma_eval import plugins
from gemma_eval.importers.lm_eval.convert import Wanted
from gemma_eval.importers.written import write
from gemma_eval.records import Case, Cell, Message
from gemma_eval.stats import corpus
from gemma_eval.suite import load_suite
from tests.examples import a_generation
from tests.importers.fixtures.record_lm_eval import ANSWERS, LOG_LIKELIHOODS, RECORDED, TASKS
from tests.importers.imported import FIXTURES, imported, scores, values

REGISTRY = plugins.load()
GENERATING = sorted(ANSWERS)
READ_ALONE = ("pile_10k", "pile_github")
ROW = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What one row asks: the prompt, and each text that is read after it."""

    prompt: str
    continuations: tuple[str, ...]


@cache
def recorded(name: str) -> Sequence[ROW]:
    """Return what lm-evaluation-harness makes of each row of a task."""
    rows: Sequence[ROW] = recording(name)["rows"]
    return rows


@cache
def recording(name: str) -> ROW:
    """Return what lm-evaluation-harness makes of a task."""
    tasks: Mapping[str, ROW] = json.loads(RECORDED.read_text(encoding="utf-8"))["tasks"]
    return tasks[name]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sequence[Cell]]:
    """Import every task, and load each suite as pytest would."""
    folder = tmp_path_factory.mktemp("imported")
    return {name: cells(name, folder) for name in TASKS}


def cells(name: str, folder: Path) -> Sequence[Cell]:
    """Return the cells of an imported task, one for each row."""
    file, n_shots, splits = TASKS[name]
    data = {split: FIXTURES / "data" / f"{rows}.jsonl" for split, rows in splits.items()}
    made = imported(FIXTURES / "lm_eval" / file, Wanted(data=data, n_shots=n_shots))
    path, *_ = write(made, folder, replaces=False)
    _, found = load_suite(path, REGISTRY)
    return found


def asked(case: Case) -> Asked:
    """Return what a case of the suite asks."""
    read = case.choices or ((case.continuation,) if case.continuation is not None else ())
    return Asked(case.query, tuple(f"{case.delimiter}{text}" for text in read))


def asked_there(row: ROW) -> Asked:
    """Return what the requests of a recorded row ask."""
    arguments = [each if len(each) > 1 else ["", *each] for each in row["arguments"]]
    texts = tuple(second for _, second in arguments if isinstance(second, str))
    (prompt,) = {first for first, _ in arguments}
    return Asked(prompt, texts)


@pytest.mark.parametrize("name", TASKS)
def test_each_row_asks_what_it_asks_there(name: str, loaded: Mapping[str, Sequence[Cell]]) -> None:
    """Prompt with description and examples, choices with what stands before them, or a text that is read."""
    assert [asked(cell.case) for cell in loaded[name]] == [asked_there(row) for row in recorded(name)]


@pytest.mark.parametrize("name", sorted(TASKS.keys() - ANSWERS.keys() - {"lambada_openai", *READ_ALONE}))
def test_the_right_choice_is_that_of_there(name: str, loaded: Mapping[str, Sequence[Cell]]) -> None:
    """Given there as an index or as the choice itself."""
    for cell, row in zip(loaded[name], recorded(name), strict=True):
        target, case = row["target"], cell.case
        assert case.target == (case.choices.index(target) if isinstance(target, str) else target)


@pytest.mark.parametrize("name", GENERATING)
def test_answers_stop_and_are_drawn_as_there(name: str, loaded: Mapping[str, Sequence[Cell]]) -> None:
    """Greedy, with the same texts to stop at and the same longest answer."""
    for cell, row in zip(loaded[name], recorded(name), strict=True):
        ((_, given),) = row["arguments"]
        profile = cell.profile
        assert list(profile.stop) == given["until"]
        assert profile.temperature == given.get("temperature", 0.0) == 0
        assert profile.max_tokens == given.get("max_gen_toks", 256)


def disagreements(name: str, found: Sequence[Cell]) -> list[str]:
    """Return the answers that are scored otherwise than there, under any pipeline."""
    return [
        answer
        for cell, row in zip(found, recorded(name), strict=True)
        for answer, there in zip(ANSWERS[name], row["scores"], strict=True)
        if values(cell.case, answer) != [metrics["exact_match"] for metrics in there.values()]
    ]


@pytest.mark.parametrize("name", GENERATING)
def test_answers_are_scored_as_there(name: str, loaded: Mapping[str, Sequence[Cell]]) -> None:
    """Under each named pipeline of filters, in their order, with what the metric ignores."""
    assert disagreements(name, loaded[name]) == []


@pytest.mark.parametrize("name", GENERATING)
def test_a_planted_error_in_a_pipeline_or_a_metric_is_noticed(
    name: str, loaded: Mapping[str, Sequence[Cell]]
) -> None:
    """Without the filters, some answer is scored otherwise; the rows tell the pipelines apart."""
    bare = [without_filters(cell) for cell in loaded[name]]
    assert disagreements(name, bare)


def without_filters(cell: Cell) -> Cell:
    """Return a cell whose checks read the whole answer."""
    checks = tuple(replace(check, filters=()) for check in cell.case.checks)
    return replace(cell, case=replace(cell.case, checks=checks))


def test_only_the_first_pipeline_counts(loaded: Mapping[str, Sequence[Cell]]) -> None:
    """The others are recorded with weight 0."""
    weights = [[check.weight for check in cell.case.checks] for cell in loaded["gsm8k"]]
    assert weights == [[1.0, 0.0]] * 2


def test_examples_differ_with_the_seed() -> None:
    """The recording has the seed 1234, so that another one is noticed."""
    file, n_shots, splits = TASKS["gsm8k"]
    data = {split: FIXTURES / "data" / f"{rows}.jsonl" for split, rows in splits.items()}
    path = FIXTURES / "lm_eval" / file
    made = [imported(path, Wanted(data=data, n_shots=n_shots, seed=seed)).rows for seed in (1234, 1235)]
    assert made[0] != made[1]


def corpus_wrong_by(name: str, found: Sequence[Cell]) -> float:
    """Return how far the figures of all texts of a task are, relatively, from those of there."""
    figures = []
    for cell, value in zip(found, LOG_LIKELIHOODS, strict=True):
        read = replace(a_generation(cell.case.continuation or ""), log_probabilities=(value,))
        (score,) = scores(cell.case, read)
        figures.append(score.figures)
    words, sizes_bytes = ([each[key] for each in figures] for key in ("n_words", "n_bytes"))
    here = {
        "word_perplexity": corpus.weighted_perplexity(LOG_LIKELIHOODS, words),
        "byte_perplexity": corpus.weighted_perplexity(LOG_LIKELIHOODS, sizes_bytes),
        "bits_per_byte": corpus.bits_per_byte(LOG_LIKELIHOODS, sizes_bytes),
    }
    there: Mapping[str, float] = recording(name)["corpus"]
    return max(abs((here[metric] or 0) / value - 1) for metric, value in there.items())


@pytest.mark.parametrize("name", READ_ALONE)
def test_the_figures_of_texts_that_are_read_alone_are_those_of_there(
    name: str, loaded: Mapping[str, Sequence[Cell]]
) -> None:
    """Perplexity of a word and of a byte, and bits per byte, of texts with white space at both ends."""
    assert {cell.case.messages for cell in loaded[name]} == {()}
    assert corpus_wrong_by(name, loaded[name]) < 1e-12


def test_a_planted_error_in_what_is_counted_is_noticed(loaded: Mapping[str, Sequence[Cell]]) -> None:
    """White space at the ends left out, and a text that has words only, as after a prompt."""
    cells = loaded["pile_10k"]
    stripped = [with_case(cell, continuation=(cell.case.continuation or "").strip()) for cell in cells]
    asked = [with_case(cell, messages=(Message(role="user", content="Go on."),)) for cell in cells]
    assert corpus_wrong_by("pile_10k", stripped) > 0.01
    assert corpus_wrong_by("pile_10k", asked) > 0.01


def with_case(cell: Cell, **changes: object) -> Cell:
    """Return a cell whose case is another."""
    return replace(cell, case=replace(cell.case, **changes))  # type: ignore[arg-type]
