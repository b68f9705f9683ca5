"""The straight line, with real stages and an engine that says what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

import gemma_eval
from gemma_eval.cases.expand import trials
from gemma_eval.errors import ContextOverflow, PluginError, SuiteError, UsageError
from gemma_eval.plugins import Registry, load
from gemma_eval.protocols import RegisterScorer, Scorer, ScorerFactory
from gemma_eval.records import (
    Case,
    Cell,
    Check,
    EngineInfo,
    Generation,
    Message,
    Options,
    Prompt,
    SamplingProfile,
    Score,
    Template,
)
from gemma_eval.run import load_suite, make_report, run_trial, stages, warm_up
from gemma_eval.wire import dump_outcome
from tests.examples import a_case, a_cell, a_generation, a_run


class Engine:
    """A backend that remembers its prompts and answers each with the next reply."""

    chat_template = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"

    def __init__(self, *replies: Generation | Exception) -> None:
        """Keep what is to be said."""
        self.replies = list(replies)
        self.prompts: list[Prompt] = []
        self.seeds: list[int] = []

    def info(self) -> EngineInfo:
        """Say that it is a fake."""
        return EngineInfo(
            engine="fake", version="0", model_sha256=None, parameters=None, context_tokens=None, threads=None
        )

    def count_tokens(self, text: str) -> int | None:
        """Count words."""
        return len(text.split())

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Return the next reply."""
        self.prompts.append(prompt)
        self.seeds.append(seed)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        """Free nothing."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The built-ins."""
    return load()


def checked(cell: Cell, *checks: Check) -> Cell:
    """Return the cell with these checks on its answer."""
    return replace(cell, case=replace(cell.case, checks=checks))


def test_a_trial_becomes_a_scored_and_measured_outcome(registry: Registry) -> None:
    """Documents are searched, the template is filled, the answer is timed and scored."""
    engine = Engine(a_generation("Oslo"))
    trial = trials(a_cell())[0]
    outcome = run_trial(trial, stages(registry, engine))
    assert engine.prompts[0].text is not None
    assert "- Finn lives in Oslo." in engine.prompts[0].text
    assert engine.prompts[0].text.startswith("<user>")
    assert engine.seeds == [trial.seed]
    assert outcome.measurement is not None
    assert outcome.measurement.ttft_s == pytest.approx(0.010)
    assert outcome.measurement.peak_memory_bytes
    assert outcome.score == 1.0
    assert outcome.passed


def test_a_template_without_context_is_given_no_passages(registry: Registry) -> None:
    """Nothing is retrieved that nothing reads."""
    engine = Engine(a_generation())
    cell = replace(a_cell(), template=Template(name="plain", text="{{ query }}"))
    outcome = run_trial(trials(cell)[0], stages(registry, engine))
    assert outcome.prompt is not None
    assert outcome.prompt.passages == ()
    assert outcome.prompt.messages == (Message(role="user", content="Where does Finn live?"),)


def test_an_engine_that_fails_makes_a_failure_that_keeps_the_prompt(registry: Registry) -> None:
    """What was asked is known even when nothing came back."""
    engine = Engine(ContextOverflow(needed_tokens=9, limit_tokens=8))
    outcome = run_trial(trials(a_cell())[0], stages(registry, engine))
    assert outcome.failure is not None
    assert outcome.failure.kind == "context_overflow"
    assert outcome.prompt is not None
    assert outcome.generation is None
    assert outcome.measurement is None
    assert outcome.score is None
    assert not outcome.passed


def test_a_template_that_cannot_be_rendered_makes_a_failure_and_asks_nothing(registry: Registry) -> None:
    """An empty prompt is never sent."""
    engine = Engine()
    cell = replace(a_cell(), template=Template(name="bad", text="{{ nobody_knows }}"))
    outcome = run_trial(trials(cell)[0], stages(registry, engine))
    assert outcome.failure is not None
    assert outcome.failure.kind == "template"
    assert engine.prompts == []


@pytest.mark.parametrize(("pass_at", "passed"), [(None, None), (0.5, False)])
def test_a_wrong_answer_fails_only_when_the_suite_demands_it(
    registry: Registry, pass_at: float | None, passed: bool | None
) -> None:
    """Without `pass_at` the value is recorded and nothing more."""
    cell = checked(a_cell(), Check(scorer="equals", options={"text": "Rome"}, pass_at=pass_at))
    outcome = run_trial(trials(cell)[0], stages(registry, Engine(a_generation("Oslo"))))
    assert [(score.value, score.passed) for score in outcome.scores] == [(0.0, passed)]
    assert outcome.passed is (passed is not False)


def broken(options: Options) -> Scorer:
    """Build a scorer with a fault."""

    def score(case: Case, generation: Generation) -> Score:
        raise ZeroDivisionError("oh")

    return score


class Broken:
    """A plugin whose scorer has a fault."""

    @gemma_eval.hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """Register it."""
        register("broken", broken)


def test_a_scorer_with_a_fault_does_not_cost_the_generation() -> None:
    """The answer is kept, and the score says why there is none."""
    cell = checked(
        a_cell(), Check(scorer="broken", pass_at=1.0), Check(scorer="contains", options={"text": "Oslo"})
    )
    outcome = run_trial(trials(cell)[0], stages(load([Broken()]), Engine(a_generation("Oslo"))))
    assert outcome.generation is not None
    assert outcome.scores[0].unscored == "ZeroDivisionError: oh"
    assert outcome.scores[0].passed is False
    assert outcome.scores[1].value == 1.0
    assert outcome.score is None
    assert not outcome.passed


def scoring(value: object) -> ScorerFactory:
    """Return the factory of a scorer that gives `value`, or nothing at all for `None`."""

    def build(options: Options) -> Scorer:
        def score(case: Case, generation: Generation) -> Score:
            return cast(Score, value and Score(scorer="odd", value=cast(float, value), passed=None))

        return score

    return build


class Odd:
    """A plugin whose scorer gives what no score may be."""

    def __init__(self, value: object) -> None:
        """Keep what it gives."""
        self.value = value

    @gemma_eval.hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """Register it."""
        register("odd", scoring(self.value))


@pytest.mark.parametrize("value", [None, 5.0, -0.1, float("nan"), float("inf"), "x"])
def test_what_is_no_score_leaves_the_check_unscored(value: object) -> None:
    """It would be printed as a mean of 5, or end the run when it is stored."""
    cell = checked(a_cell(), Check(scorer="odd"))
    outcome = run_trial(trials(cell)[0], stages(load([Odd(value)]), Engine(a_generation())))
    assert outcome.scores[0].value is None
    assert outcome.scores[0].unscored
    assert dump_outcome(outcome)


def test_a_score_of_numpy_is_a_plain_number() -> None:
    """NumPy scalars cannot be sent by a worker."""
    cell = checked(a_cell(), Check(scorer="odd", pass_at=0.5))
    outcome = run_trial(trials(cell)[0], stages(load([Odd(np.float32(0.5))]), Engine(a_generation())))
    assert type(outcome.scores[0].value) is float
    assert outcome.scores[0].passed is True


def test_a_plugin_that_breaks_the_contract_fails_its_trial_and_not_the_cell(registry: Registry) -> None:
    """As a transform that leaves no token; the repeats before and after it are kept."""
    engine = Engine(PluginError("the transform left no token"))
    outcome = run_trial(trials(a_cell())[0], stages(registry, engine))
    assert outcome.failure is not None
    assert outcome.failure.kind == "plugin"


def test_warming_up_makes_as_many_generations_as_the_case_asks(registry: Registry) -> None:
    """They are made and thrown away."""
    engine = Engine(a_generation(), a_generation())
    cell = a_cell()
    warm_up(replace(cell, case=replace(cell.case, warmup=2)), stages(registry, engine))
    assert len(engine.prompts) == 2


SUITE = """
[suite]
[defaults]
models = ["pocket"]
profiles = ["greedy"]
templates = ["plain"]
[[case]]
id = "capital"
prompt = "What is the capital of Norway?"
checks = [{ %s }]
"""


@pytest.fixture
def suite_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a suite with one check."""

    def write(check: str) -> Path:
        path = tmp_path / "one.toml"
        path.write_text(SUITE % check)
        return path

    return write


def test_a_suite_finds_the_shipped_models_profiles_and_templates(
    registry: Registry, suite_file: Callable[[str], Path]
) -> None:
    """A suite of one file is enough."""
    suite, cells = load_suite(suite_file('scorer = "equals", text = "Oslo"'), registry)
    assert suite.name == "one"
    assert [cell.label for cell in cells] == ["capital[pocket/greedy/plain]"]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ('scorer = "equal", text = "x"', 'did you mean "equals"'),
        ('scorer = "equals", txt = "x"', 'did you mean "text"'),
        ('scorer = "regex", pattern = "("', "pattern"),
    ],
)
def test_a_check_that_cannot_work_is_a_problem_of_the_suite(
    registry: Registry, suite_file: Callable[[str], Path], check: str, message: str
) -> None:
    """It is found before anything runs, with file and line."""
    with pytest.raises(SuiteError, match=message) as caught:
        load_suite(suite_file(check), registry)
    assert caught.value.problems[0].line > 0


class Demanding:
    """A plugin whose scorer looks an option up without asking whether it is there."""

    @gemma_eval.hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """Register it."""

        def build(options: Options) -> Scorer:
            return broken({"needed": options["needed"]})

        register("demanding", build)


def test_an_option_that_a_plugin_misses_is_a_problem_of_the_suite(suite_file: Callable[[str], Path]) -> None:
    """With file and line, as for the scorers that ship, and no traceback."""
    with pytest.raises(SuiteError, match=r"demanding: .* KeyError: 'needed'") as caught:
        load_suite(suite_file('scorer = "demanding"'), load([Demanding()]))
    assert caught.value.problems[0].line > 0


def test_a_report_holds_a_summary_per_group_and_metric() -> None:
    """Reporters are given the outcomes and what they amount to."""
    report = make_report(a_run(planned=0), ())
    assert report.summaries == ()
    assert a_case().query == "Where does Finn live?"


def test_an_order_with_an_unknown_transform_is_refused_before_anything_runs(
    registry: Registry, suite_file: Callable[[str], Path]
) -> None:
    """The profile is named, and what was meant."""
    path = suite_file('scorer = "equals", text = "Oslo"')
    profiles = {"version": 1, "profiles": {"greedy": {"temperature": 0, "order": ["top_q", "temperature"]}}}
    (path.parent / "profiles.json").write_text(json.dumps(profiles))
    with pytest.raises(
        UsageError, match=r'profile "greedy": order: no transform named "top_q"; did you mean "top_[pk]"'
    ):
        load_suite(path, registry)


def test_a_malformed_template_is_refused_before_anything_runs(
    registry: Registry, suite_file: Callable[[str], Path]
) -> None:
    """A syntax error and an unknown variable, each in one line; both at once."""
    path = suite_file('scorer = "equals", text = "Oslo"')
    path.write_text(path.read_text().replace('["plain"]', '["plain", "torn", "typo", "loop"]'))
    folder = path.parent / "templates"
    folder.mkdir()
    (folder / "torn.jinja").write_text("{{ query")
    (folder / "typo.jinja").write_text("\n{% if qery %}{{ query }}{% endif %}")
    (folder / "loop.jinja").write_text("{% for n in range(3) %}{{ n }}{{ query }}{% endfor %}")
    with pytest.raises(UsageError) as caught:
        load_suite(path, registry)
    torn, typo = str(caught.value).splitlines()
    assert torn.startswith('template "torn": line 1: ')
    assert typo == 'template "typo": line 2: unknown variable "qery"; did you mean "query"?'
