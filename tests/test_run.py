"""The straight line, with real stages and an engine that says what it is told."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

import gemma_eval
from gemma_eval.cases.expand import trials
from gemma_eval.errors import BackendError, ContextOverflow, PluginError, SuiteError, UsageError
from gemma_eval.executors.trials import run_trials, warm_up
from gemma_eval.plugins import Registry, load
from gemma_eval.protocols import RegisterScorer, Scorer, ScorerFactory
from gemma_eval.records import (
    Case,
    CaseKind,
    Cell,
    Check,
    EngineInfo,
    Generation,
    Message,
    Options,
    Outcome,
    Overflow,
    Prompt,
    Retrieval,
    Role,
    SamplingProfile,
    Score,
    Template,
    Trial,
)
from gemma_eval.run import make_report, run_trial
from gemma_eval.stages import load_backend, stages
from gemma_eval.suite import load_suite
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


def test_what_had_come_of_an_answer_that_broke_off_is_kept(registry: Registry) -> None:
    """Its stamps are in the record; it has no times, and nothing of it is scored."""

    partial = replace(a_generation(), finish_reason="error")
    engine = Engine(BackendError("the line went dead", partial=partial))
    outcome = run_trial(trials(a_cell())[0], stages(registry, engine))
    assert outcome.failure is not None
    assert outcome.failure.message == "the line went dead"
    assert outcome.generation == partial
    assert outcome.measurement is not None
    assert outcome.measurement.missing["ttft_s"] == "failed"
    assert outcome.scores == ()


@pytest.mark.parametrize(("kind", "text"), [("benchmark", "at once"), ("quality", "in the end")])
def test_a_benchmark_is_answered_in_one_attempt(registry: Registry, kind: CaseKind, text: str) -> None:
    """What failed and was asked again has no times; of a benchmark the failure is what is measured."""

    class Retrying(Engine):
        def generate_once(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
            del prompt, profile, seed
            return a_generation("at once")

    cell = a_cell()
    planned = trials(replace(cell, case=replace(cell.case, kind=kind)))[0]
    found = run_trial(planned, stages(registry, Retrying(a_generation("in the end"))))
    assert found.generation is not None
    assert found.generation.text == text


@pytest.mark.parametrize(
    ("kind", "caches", "begins"),
    [("benchmark", True, "n1 "), ("benchmark", False, ""), ("quality", True, "")],
)
def test_the_prompt_of_a_benchmark_is_new_to_an_engine_that_keeps_what_it_has_read(
    registry: Registry, kind: CaseKind, caches: bool, begins: str
) -> None:
    """From its beginning on, so that nothing of it is in a cache; other prompts stand as they are written."""

    class Keeping(Engine):
        caches_prefixes = caches

    cell = a_cell()
    planned = trials(replace(cell, case=replace(cell.case, kind=kind)))[0]
    plain = run_trial(planned, stages(registry, Engine(a_generation()))).prompt
    found = run_trial(planned, stages(registry, Keeping(a_generation()), nonce=lambda: "n1")).prompt
    assert plain is not None
    assert found is not None
    assert [turn.content for turn in found.messages] == [begins + turn.content for turn in plain.messages]


class Served(Engine):
    """An engine that answers from the given processes."""

    process_ids: Sequence[int] = ()


def test_what_an_engine_takes_that_is_not_seen_from_here_is_not_known(registry: Registry) -> None:
    """Lest this process be taken for it; where its processes are seen, they are watched."""
    engine, trial = Served(a_generation(), a_generation()), trials(a_cell())[0]
    measured = run_trial(trial, stages(registry, engine)).measurement
    assert measured is not None
    assert measured.peak_memory_bytes is measured.cpu_s is None
    assert measured.missing["peak_memory_bytes"] == measured.missing["cpu_s"] == "elsewhere"
    engine.process_ids = (os.getpid(),)
    measured = run_trial(trial, stages(registry, engine)).measurement
    assert measured is not None
    assert (measured.peak_memory_bytes or 0) > 0


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


class Reader(Engine):
    """An engine that also reads."""

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Find each of its tokens as probable as a coin."""
        self.prompts.append(prompt)
        return replace(a_generation(continuation), log_probabilities=(math.log(0.5),) * 2)


class Narrow(Engine):
    """An engine whose context holds seven words."""

    def info(self) -> EngineInfo:
        """Say so."""
        return replace(super().info(), context_tokens=7)


def reading(cell: Cell) -> Cell:
    """Return the cell with a text to be read."""
    checks = (Check(scorer="likelihood"),)
    return replace(cell, case=replace(cell.case, continuation=" Oslo", checks=checks))


def test_a_continuation_is_read_and_not_written(registry: Registry) -> None:
    """Nothing is generated, nothing is timed, and its likelihood is the score."""
    engine = Reader()
    outcome = run_trial(trials(reading(a_cell()))[0], stages(registry, engine))
    assert outcome.generation is not None
    assert outcome.generation.text == " Oslo"
    assert engine.seeds == []
    assert outcome.score == pytest.approx(0.5)
    assert outcome.measurement is not None
    assert outcome.measurement.ttft_s is None
    assert outcome.measurement.missing["ttft_s"] == "not_generated"
    assert outcome.measurement.peak_memory_bytes


def test_an_engine_whose_deltas_are_not_its_text_fails_the_trial(registry: Registry) -> None:
    """It could not be stored, and a plugin's fault is not to end the run."""
    planned = trials(a_cell())[0]
    outcome = run_trial(planned, stages(registry, Engine(replace(a_generation("Oslo"), text="Rome"))))
    assert outcome.failure is not None
    assert outcome.failure.kind == "plugin"
    assert "not the joined texts of its deltas" in outcome.failure.message


@pytest.mark.parametrize("known", [math.nan, -math.inf])
def test_a_log_probability_that_is_not_finite_fails_the_trial(registry: Registry, known: float) -> None:
    """It could not be stored either."""

    class Torn(Reader):
        def read(self, prompt: Prompt, *, continuation: str) -> Generation:
            return replace(super().read(prompt, continuation=continuation), log_probabilities=(-0.5, known))

    outcome = run_trial(trials(reading(a_cell()))[0], stages(registry, Torn()))
    assert outcome.failure is not None
    assert outcome.failure.message == 'the backend "scripted" gave a log-probability that is not finite'
    assert dump_outcome(outcome)


@pytest.mark.parametrize(("overflow", "kept"), [("error", 3), ("truncate", 1)])
def test_a_suite_may_leave_out_what_the_context_cannot_hold(
    registry: Registry, overflow: Overflow, kept: int
) -> None:
    """The context is the engine's, and the answer keeps its room."""
    engine = Narrow(a_generation())
    turns = (("user", "one two three"), ("assistant", "four five"), ("user", "six"))
    messages = tuple(Message(role=cast(Role, role), content=text) for role, text in turns)
    cell = replace(
        a_cell(),
        case=a_case(messages=messages, documents=()),
        profile=SamplingProfile(name="p", max_tokens=4),
        template=Template(name="plain", text="{{ query }}"),
        retrieval=Retrieval(overflow=overflow),
    )
    outcome = run_trial(trials(cell)[0], stages(registry, engine))
    assert outcome.prompt is not None
    assert len(outcome.prompt.messages) == kept
    assert outcome.prompt.dropped_turns == 3 - kept


def test_an_engine_that_cannot_read_fails_the_trial(registry: Registry) -> None:
    """It is not asked to write instead."""
    engine = Engine(a_generation())
    outcome = run_trial(trials(reading(a_cell()))[0], stages(registry, engine))
    assert outcome.failure is not None
    assert (
        outcome.failure.message == 'the backend "scripted" cannot read a continuation: it has no method read'
    )
    assert engine.prompts == []


class Choir(Engine):
    """An engine that gives one prompt several answers, each made of its seed."""

    def __init__(self, *, fault: Exception | None = None, lost: int = 0) -> None:
        """Keep what goes wrong."""
        super().__init__()
        self.batches: list[tuple[int, ...]] = []
        self.fault = fault
        self.lost = lost

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer with the seed."""
        self.prompts.append(prompt)
        self.seeds.append(seed)
        return a_generation(f"Oslo {seed}")

    def generate_batch(
        self, prompt: Prompt, *, profile: SamplingProfile, seeds: Sequence[int]
    ) -> tuple[Generation, ...]:
        """Answer as `generate` does, once per seed."""
        self.prompts.append(prompt)
        self.batches.append(tuple(seeds))
        if self.fault is not None:
            raise self.fault
        kept = seeds[self.lost :]
        return tuple(replace(a_generation(f"Oslo {seed}"), batch_size=len(kept)) for seed in kept)


def repeated(cell: Cell, repeats: int, **changes: object) -> tuple[Trial, ...]:
    """Return the trials of the cell with so many repeats."""
    fields = {"repeats": repeats, **changes}
    return trials(replace(cell, case=replace(cell.case, **fields)))  # type: ignore[arg-type]


def answers(outcomes: Sequence[Outcome]) -> list[tuple[Trial, str | None, float | None]]:
    """Return each trial with its answer and score."""
    return [
        (each.trial, None if each.generation is None else each.generation.text, each.score)
        for each in outcomes
    ]


def test_repeats_are_answered_as_one_batch_as_they_would_be_one_by_one(registry: Registry) -> None:
    """The prompt is built once, the order is kept, and the times are missing with their reason."""
    planned, choir = repeated(a_cell(), 5), Choir()
    outcomes = run_trials(planned, stages(registry, choir))
    alone = Choir()
    assert answers(outcomes) == answers([run_trial(trial, stages(registry, alone)) for trial in planned])
    assert choir.batches == [tuple(trial.seed for trial in planned)]
    assert (len(choir.prompts), len(alone.prompts)) == (1, 5)
    assert len({outcome.prompt for outcome in outcomes}) == 1
    for outcome in outcomes:
        assert outcome.measurement is not None
        assert outcome.measurement.missing["ttft_s"] == "batched"
        assert outcome.measurement.output_tokens == 2
        assert outcome.measurement.peak_memory_bytes


def test_a_batch_in_another_order_would_be_noticed(registry: Registry) -> None:
    """The comparison above can fail."""

    class Turned(Choir):
        def generate_batch(
            self, prompt: Prompt, *, profile: SamplingProfile, seeds: Sequence[int]
        ) -> tuple[Generation, ...]:
            return super().generate_batch(prompt, profile=profile, seeds=seeds)[::-1]

    planned = repeated(a_cell(), 5)
    outcomes = run_trials(planned, stages(registry, Turned()))
    assert answers(outcomes) != answers([run_trial(trial, stages(registry, Choir())) for trial in planned])


def test_repeats_of_the_shipped_model_are_those_that_it_writes_one_by_one(
    registry: Registry, suite_file: Callable[[str], Path]
) -> None:
    """Text, tokens and score, with prompt and seeds as a run makes them; and a reading after them."""
    path = suite_file('scorer = "contains", text = "Oslo"')
    path.write_text(path.read_text().replace("greedy", "hot") + "repeats = 6\n")
    _, (cell,) = load_suite(path, registry)
    backend = load_backend(cell.model, registry, clock=time.perf_counter_ns)
    stage, planned = stages(registry, backend), trials(cell)
    together = run_trials(planned, stage)
    assert answers(together) == answers([run_trial(trial, stage) for trial in planned])
    assert [each.generation.batch_size > 1 for each in together if each.generation] == [True] * 6
    assert len({text for _, text, _ in answers(together)}) > 1
    read = run_trial(trials(reading(cell))[0], stage)
    assert read.score is not None
    assert 0 < read.score < 1


@pytest.mark.parametrize(
    ("repeats", "sizes"), [(1, []), (2, [2]), (32, [32]), (33, [16, 17]), (70, [23, 23, 24])]
)
def test_many_repeats_make_batches_of_like_size(registry: Registry, repeats: int, sizes: list[int]) -> None:
    """None is larger than an engine's memory should bear, and none is left over alone."""
    choir = Choir()
    outcomes = run_trials(repeated(a_cell(), repeats), stages(registry, choir))
    assert [len(batch) for batch in choir.batches] == sizes
    assert [outcome.trial.repeat for outcome in outcomes] == list(range(repeats))


@pytest.mark.parametrize("changes", [{"kind": "benchmark"}, {"continuation": " Oslo"}])
def test_benchmarks_and_readings_are_never_batched(registry: Registry, changes: dict[str, object]) -> None:
    """What is timed is made alone, and what is read is made once."""
    choir = Choir()
    run_trials(repeated(a_cell(), 3, **changes), stages(registry, choir))
    assert choir.batches == []


@pytest.mark.parametrize(
    ("choir", "kind"),
    [
        (Choir(fault=ContextOverflow(needed_tokens=9, limit_tokens=8)), "context_overflow"),
        (Choir(fault=UsageError("logit_bias: there is no token 99")), "usage"),
        (Choir(lost=1), "plugin"),
    ],
)
def test_an_error_of_a_batch_fails_each_of_its_trials(registry: Registry, choir: Choir, kind: str) -> None:
    """With the prompt that was asked; an answer that is lacking cannot be told from the others."""
    outcomes = run_trials(repeated(a_cell(), 3), stages(registry, choir))
    assert [outcome.failure.kind for outcome in outcomes if outcome.failure] == [kind] * 3
    assert all(outcome.prompt is not None for outcome in outcomes)


def test_no_trials_make_no_outcomes(registry: Registry) -> None:
    """Nothing is asked."""
    assert run_trials((), stages(registry, Choir())) == ()


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


def test_a_profile_that_a_model_cannot_follow_fails_its_trial(registry: Registry) -> None:
    """As a logit bias on a token that it does not have, which is known when it samples: it is recorded."""
    engine = Engine(UsageError('profile "biased": logit_bias: there is no token 99'))
    outcome = run_trial(trials(a_cell())[0], stages(registry, engine))
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.message) == (
        "usage",
        'profile "biased": logit_bias: there is no token 99',
    )


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
