"""What an edit touches is run again, once, and nothing else; it is held against what was accepted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import gemma_eval
from gemma_eval import plugins
from gemma_eval.backends import scripted
from gemma_eval.cli import watch, watch_shown
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.executors import sheet as sheets
from gemma_eval.executors.rerunning import Difference, Rerunning
from gemma_eval.executors.room import Room
from gemma_eval.executors.sheet import Sheet, Wanted
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Clock, RegisterBackend, RegisterScorer
from gemma_eval.records import (
    Case,
    Comparison,
    Generation,
    ModelSpec,
    Prompt,
    Reloaded,
    SamplingProfile,
    Score,
)
from tests.plugin.project import a_case, head

MODELS = """\
version = 1
[model.reader]
backend = "reading"
location = "-"
[model.second]
backend = "reading"
location = "-"
"""


@dataclass
class Readings:
    """Engines that say *Oslo* when they are told of it, and how often each model was asked and loaded."""

    asked: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    @gemma_eval.hookimpl
    def register_backends(self, register: RegisterBackend) -> None:
        """Add the engine."""
        register("reading", self.load)

    @gemma_eval.hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """Add a scorer that never scores."""

        def broken(case: Case, generation: Generation) -> Score:
            raise RuntimeError("not my day")

        register("broken", lambda _: broken)

    def load(self, spec: ModelSpec, *, clock: Clock, transforms: object) -> Reading:
        """Load one."""
        del transforms
        self.loaded.append(spec.name)
        return Reading(spec=spec, clock=clock, readings=self)


@dataclass(kw_only=True)
class Reading:
    """One engine."""

    spec: ModelSpec
    clock: Clock
    readings: Readings
    chat_template: str | None = None

    def __post_init__(self) -> None:
        """Answer through replies that are written beforehand."""
        self.info = self._with("").info
        self.count_tokens = self._with("").count_tokens

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer with what was told."""
        self.readings.asked.append(self.spec.name)
        told = " ".join(message.content for message in prompt.messages)
        reply = "Oslo" if "Oslo" in told else "I do not know."
        return self._with(reply).generate(prompt, profile=profile, seed=seed)

    def close(self) -> None:
        """Do nothing."""

    def _with(self, reply: str) -> scripted.Scripted:
        spec = ModelSpec(name=self.spec.name, backend="scripted", location="-", options={"reply": reply})
        return scripted.load(spec, clock=self.clock, transforms={})


@dataclass
class Bench:
    """A project, and what is known of its cells."""

    folder: Path
    readings: Readings
    registry: Registry
    rerunning: Rerunning
    wanted: Wanted = field(default_factory=Wanted)

    def sheet(self) -> Sheet:
        """Read the files as they are."""
        return sheets.read(self.folder / "towns.gemma.toml", self.registry, self.wanted, say=print)

    def run(self) -> Sheet:
        """Run what is missing."""
        sheet = self.sheet()
        for cell in self.rerunning.missing(sheet):
            self.rerunning.run(cell, sheet)
        return sheet

    def edit(self, name: str, text: str) -> Difference:
        """Edit a template, run what that touches, and return what came of it."""
        (self.folder / "templates" / f"{name}.jinja").write_text(text)
        return self.rerunning.difference(self.run())


TELLING = "{{ rag_context }} {{ query }}"
CASES = "".join(
    a_case(name, prompt=f"Where is {name}?", keys=f'documents = [{{ name = "p", text = "{name}: Oslo" }}]')
    for name in ("Finn", "Mia")
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Two cases with two models and two templates, one of which tells nothing; all of it run and accepted."""
    (tmp_path / "models.toml").write_text(MODELS)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "told.jinja").write_text("{{ query }}")
    (tmp_path / "templates" / "kept.jinja").write_text(TELLING)
    suite = head(models=("reader", "second"), templates=("told", "kept")) + CASES
    (tmp_path / "towns.gemma.toml").write_text(suite)
    readings = Readings()
    registry = plugins.load([readings])
    with closing(Room(registry=registry, folder=tmp_path)) as room:
        bench = Bench(tmp_path, readings, registry, Rerunning(room=room))
        bench.rerunning.accept(bench.run())
        yield bench


def test_all_is_run_once_at_first_and_a_model_is_loaded_once(bench: Bench) -> None:
    """Cells of one model follow each other, whatever the order of the suite."""
    assert bench.readings.asked == ["reader"] * 4 + ["second"] * 4
    assert bench.readings.loaded == ["reader", "second"]
    assert bench.rerunning.missing(bench.sheet()) == ()


def test_an_edit_runs_its_cells_alone(bench: Bench) -> None:
    """Those of the template; the engine that is loaded stays."""
    bench.readings.asked.clear()
    found = bench.edit("told", TELLING)
    assert sorted(bench.readings.asked) == ["reader"] * 2 + ["second"] * 2
    assert {each.scores for each in found.touched} == {(0.0, 1.0)}
    assert {each.answers for each in found.changed} == {("I do not know.", "Oslo")}
    assert all("told" in each.label for each in found.touched)


def test_an_edit_that_is_taken_back_runs_nothing(bench: Bench) -> None:
    """What was accepted is known, and so is what was tried since."""
    bench.edit("told", TELLING)
    bench.readings.asked.clear()
    assert bench.edit("told", "{{ query }}").touched == ()
    assert len(bench.edit("told", TELLING).touched) == 4
    assert bench.readings.asked == []


def test_several_edits_are_held_against_what_was_accepted(bench: Bench) -> None:
    """And after it is accepted, the next one against that."""
    bench.edit("told", TELLING)
    found = bench.edit("kept", "{{ query }}")
    assert {each.scores for each in found.touched} == {(0.0, 1.0), (1.0, 0.0)}
    assert [each.scores for each in found.changed][:4] == [(1.0, 0.0)] * 4  # losses first
    bench.rerunning.accept(bench.sheet())
    found = bench.edit("kept", TELLING)
    assert {each.scores for each in found.touched} == {(0.0, 1.0)}
    assert all("kept" in each.label for each in found.touched)


def test_all_can_be_run_again(bench: Bench) -> None:
    """With engines that are loaded anew, and held against what was accepted."""
    bench.readings.asked.clear()
    bench.readings.loaded.clear()
    bench.rerunning.forget()
    found = bench.rerunning.difference(bench.run())
    assert len(bench.readings.asked) == 8
    assert bench.readings.loaded == ["reader", "second"]
    assert len(found.touched) == 8
    assert found.changed == ()


def test_a_changed_profile_or_model_touches_its_cells(bench: Bench) -> None:
    """Whatever a key of a trial is made of."""
    bench.readings.asked.clear()
    models = bench.folder / "models.toml"
    models.write_text(MODELS + "context_tokens = 4096\n")
    bench.run()
    assert bench.readings.asked == ["second"] * 4
    models.write_text("# a comment\n" + MODELS + "context_tokens = 4096\n")
    assert bench.rerunning.missing(bench.sheet()) == ()
    profile = '{"version": 1, "profiles": {"greedy": {"temperature": 0, "max_tokens": 3}}}'
    (bench.folder / "profiles.json").write_text(profile)
    assert len(bench.rerunning.missing(bench.sheet())) == 8


def test_a_case_that_comes_or_goes_is_held_against_nothing(bench: Bench) -> None:
    """And one that asks something else is no pair."""
    suite = bench.folder / "towns.gemma.toml"
    text = suite.read_text()
    suite.write_text(text.replace('"Mia"', '"Tom"').replace("Where is Finn?", "Where is Finn now?"))
    found = bench.rerunning.difference(bench.run())
    assert len(found.new) == len(found.gone) == 4
    lines = list(watch_shown.difference(found))
    assert "nothing can be compared: no case asks the same on both sides" in lines
    assert any(line.startswith("new, and held against nothing: Tom[reader/greedy/told], ") for line in lines)


def test_a_case_that_has_no_score_is_not_said_to_ask_something_else(bench: Bench) -> None:
    """Why a check could not be scored is shown, as it is for an engine that fails."""
    suite = bench.folder / "towns.gemma.toml"
    checked = suite.read_text()
    suite.write_text(checked.replace('scorer = "contains", text = "Oslo"', 'scorer = "broken"'))
    bench.rerunning.accept(bench.run())
    lines = list(watch_shown.difference(bench.edit("told", TELLING)))
    assert lines[-1] == "nothing can be compared: no case has a score on both sides"
    said = list(watch_shown.failures(bench.rerunning.outcomes(bench.sheet())))
    assert said == ["Finn[reader/greedy/told] and 7 more: no score of broken: RuntimeError: not my day"]


def test_rows_of_a_dataset_are_cases_of_their_own(bench: Bench) -> None:
    """A new row alone is run; each row has a line of its own."""
    rows = bench.folder / "rows.jsonl"
    rows.write_text('{"q": "Oslo?"}\n{"q": "Rome?"}\n')
    dataset = 'dataset = { path = "rows.jsonl" }'
    case = a_case("ask", prompt="{{ q }}", keys=dataset)
    (bench.folder / "towns.gemma.toml").write_text(head(models=("reader",), templates=("told",)) + case)
    bench.rerunning.accept(bench.run())
    bench.readings.asked.clear()
    rows.write_text('{"q": "Oslo?"}\n{"q": "Rome?"}\n{"q": "Oslo!"}\n')
    found = bench.rerunning.difference(bench.run())
    assert bench.readings.asked == ["reader"]
    assert len(found.new) == 1
    assert found.touched == ()


def test_what_fails_is_said_once_for_each_reason(bench: Bench) -> None:
    """With the cells that it befell, and the others are shown."""
    models = bench.folder / "models.toml"
    models.write_text(MODELS.replace('"reading"', '"scripted"', 1) + "options = { }\n")
    failing = 'backend = "scripted"\nlocation = "-"\noptions = { fail = "the engine is gone" }\n'
    models.write_text(MODELS.replace('backend = "reading"\nlocation = "-"\n', failing, 1))
    outcomes = bench.rerunning.outcomes(bench.run())
    assert list(watch_shown.failures(outcomes)) == ["Finn[reader/greedy/told] and 3 more: the engine is gone"]
    rows = watch_shown.rows(outcomes)
    assert [row[-1] for row in rows] == ["2", "2", "0", "0"]


@pytest.mark.parametrize(
    ("wanted", "cells"),
    [
        (Wanted(globs={"model": ["read*"]}), 4),
        (Wanted(globs={"case": ["Finn"], "template": ["told", "kept"]}), 4),
        (Wanted(globs={"case": ["Finn"], "model": ["second"], "template": ["told"]}), 1),
    ],
)
def test_cells_are_chosen_by_globs(bench: Bench, wanted: Wanted, cells: int) -> None:
    """On each axis any of them, and on all axes."""
    bench.wanted = wanted
    assert len(bench.sheet().cells) == cells


def test_a_glob_that_fits_nothing_is_refused(bench: Bench) -> None:
    """With what is near."""
    bench.wanted = Wanted(globs={"profile": ["gredy"]})
    with pytest.raises(UnknownName, match='no profile named "gredy"; did you mean "greedy"'):
        bench.sheet()


def test_a_kind_that_the_suite_has_not_is_refused(bench: Bench) -> None:
    """There would be nothing to look at."""
    bench.wanted = Wanted(kind="benchmark")
    with pytest.raises(UsageError, match="has no case of the kind benchmark"):
        bench.sheet()


def test_repeats_are_those_that_were_asked_for(bench: Bench) -> None:
    """Of each case."""
    bench.wanted = Wanted(repeats=3)
    sheet = bench.run()
    assert {len(each) for each in bench.rerunning.outcomes(sheet).values()} == {3}


def test_the_files_that_are_watched_are_those_that_cells_come_from(bench: Bench) -> None:
    """The suite, the choices of each folder, and what the suite names in its own."""
    (bench.folder / "p").write_text("a file of that name")
    suite = bench.folder / "towns.gemma.toml"
    found = sheets.files(suite, bench.sheet(), folders=[bench.folder])
    names = [path.name for path in found]
    assert names == ["towns.gemma.toml", "p", "models.toml", "profiles.json", "templates"]


def test_plugins_hear_of_edits_and_a_fault_of_theirs_costs_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once for an edit, with the names of what changed, when it is in use; another one's fault is a line."""
    heard: list[Reloaded] = []

    class Hearing:
        @gemma_eval.hookimpl
        def config_reloaded(self, reloaded: Reloaded) -> None:
            heard.append(reloaded)
            raise RuntimeError("not my day")

    registry = plugins.load([bench.readings, Hearing()])
    monkeypatch.chdir(bench.folder)
    live = watch._live(bench.folder / "towns.gemma.toml", registry, Wanted())
    (bench.folder / "templates" / "told.jinja").write_text(TELLING)
    ends = time.monotonic() + 20
    while not heard:
        assert time.monotonic() < ends
        time.sleep(live.wait_s)
        live.poll()
    assert [told.changed for told in heard] == [(("template", "told"),)]
    assert heard[0].generation == live.snapshot.generation == 2
    assert capsys.readouterr().out == "a plugin failed to hear of a reload: RuntimeError: not my day\n"


def test_a_reload_is_told_by_the_names_of_what_changed() -> None:
    """And by how many cells that touches."""
    told = Reloaded(
        generation=2,
        digest="",
        changed=(("template", "told"), ("profile", "hot"), ("case", "a"), ("case", "b")),
        removed=(("model", "old"),),
    )
    changed = 'template "told", profile "hot", case "a" and 1 more changed'
    line = f'{changed}, model "old" removed: 3 of 9 cells to run'
    assert watch_shown.reloaded(told, cells=3, of=9) == line
    nothing = Reloaded(generation=3, digest="")
    line = "the files changed, and nothing that is run here: nothing to run"
    assert watch_shown.reloaded(nothing, cells=0, of=9) == line


def a_comparison(**known: object) -> Comparison:
    """Return what is known of the scores of 40 cases."""
    fields: dict[str, object] = {
        "metric": "score",
        "shared": "",
        "unit": "case",
        "n": 40,
        "base": 0.5,
        "candidate": 0.6,
        "difference": -0.1,
        "low": -0.2,
        "high": 0.0,
        "level": 0.05,
        "margin": 0.02,
        "detectable": None,
        "needed": None,
    }
    return Comparison(**(fields | known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"verdict": "PASS", "lean": "improved"}, "it helped (+0.100 over 40 cases, proved)"),
        ({"verdict": "PASS", "lean": "identical", "difference": 0.0}, "the same answers"),
        (
            {"verdict": "PASS", "lean": "drift", "difference": 0.01},
            "a little worse (-0.010 over 40 cases, proved), and no more than is allowed",
        ),
        (
            {"verdict": "PASS"},
            "not worse than is allowed (+0.100 over 40 cases); that it helped is not proved",
        ),
        ({"verdict": "REGRESSED", "difference": 0.3}, "it got worse (-0.300 over 40 cases, proved)"),
        (
            {"verdict": "INCONCLUSIVE", "lean": "better", "needed": 95},
            "cannot tell; it leans to better (+0.100 over 40 cases); about 95 cases would tell",
        ),
        (
            {"verdict": "INCONCLUSIVE", "lean": "worse", "difference": 0.1, "n": 1},
            "cannot tell; it leans to worse (-0.100 over 1 case)",
        ),
        ({"verdict": "INCONCLUSIVE", "difference": 0.0}, "cannot tell"),
    ],
)
def test_a_verdict_is_said_in_words(known: dict[str, object], said: str) -> None:
    """Whether it helped, got worse, or cannot be told, and how much more would tell."""
    assert watch_shown.verdict(a_comparison(**known)) == said
