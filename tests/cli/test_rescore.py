"""`gemma-eval rescore` as a person uses it: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval import hookimpl
from gemma_eval.cases.expand import trials
from gemma_eval.cli import command
from gemma_eval.errors import StoreError, SuiteError, UnknownName, UsageError
from gemma_eval.plugins import Registry, load
from gemma_eval.protocols import RegisterScorer, Scorer, Services
from gemma_eval.records import Case, Gating, Generation, Message, Options, Outcome, Question, Score
from gemma_eval.scoring.again import again
from gemma_eval.stages import scorer_builder
from gemma_eval.store.read import open_reader
from gemma_eval.store.write import open_store
from gemma_eval.suite import load_suite
from tests.examples import a_generation, a_run

ANSWERS = {"norway": ("Oslo.", "Bergen."), "add": ("It is 59.", "59"), "gone": ("Rome.", "Rome.")}
RUN = a_run()
SUITE = """
[defaults]
models = ["stand-in"]
profiles = ["greedy"]
templates = ["plain"]
repeats = 2

[[case]]
id = "norway"
prompt = "What is the capital of Norway?"
checks = [{ scorer = "equals", text = "Oslo" }]

[[case]]
id = "add"
prompt = "What is 34 + 25?"
checks = [{ scorer = "numeric", value = 59 }]

[[case]]
id = "gone"
prompt = "What is the capital of Italy?"
checks = [{ scorer = "contains", text = "Rome" }]
"""
MODELS = """
version = 1

[model.stand-in]
backend = "scripted"
location = "-"
options = { reply = "Oslo" }

[model.critic]
backend = "scripted"
location = "-"
options = { reply = "0.25" }
"""


@dataclass(frozen=True)
class Critic:
    """A scorer that asks a model for a number."""

    models: tuple[str, ...] = ("critic",)

    def bind(self, services: Services) -> Scorer:
        """Ask with `services`."""

        def judge(case: Case, generation: Generation) -> Score:
            reply = services.ask("critic", Question(messages=(Message(role="user", content="How good?"),)))
            return Score(scorer="critic", value=float(reply.text), passed=None)

        return judge


class Plugin:
    """Registers the scorer."""

    @hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        """As every plugin does."""

        def critic(options: Options) -> Critic:
            return Critic()

        register("critic", critic)


REGISTRY = load([Plugin()])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the suite and a database of a run of it."""
    monkeypatch.chdir(tmp_path)
    Path("village.toml").write_text(SUITE)
    Path("models.toml").write_text(MODELS)
    record(REGISTRY)


def record(registry: Registry, *, path: Path = Path("results.db")) -> None:
    """Write the run that the suite makes with the answers above."""
    outcomes = list(made(registry))
    arguments = ("--gemma-suite", "village.toml")
    run = replace(RUN, suites=("village",), planned=len(outcomes), arguments=arguments)
    with closing(open_store(path)) as store:
        store.begin(run, [outcome.trial for outcome in outcomes])
        for outcome in outcomes:
            store.record(run.id, outcome)
        store.finish(run.id, "done")


def made(registry: Registry) -> Iterator[Outcome]:
    """Yield the outcomes of the suite as it is now."""
    for cell in load_suite(Path("village.toml"), registry)[1]:
        bare = [
            Outcome(trial=trial, prompt=None, generation=a_generation(text), measurement=None)
            for trial, text in zip(trials(cell), ANSWERS[cell.case.id], strict=True)
        ]
        yield from again(bare, cell.case, build=scorer_builder(registry), judges=cell.judges)


def change(old: str, new: str) -> None:
    """Edit the suite."""
    text = Path("village.toml").read_text()
    assert text.count(old) == 1
    Path("village.toml").write_text(text.replace(old, new))


def rescore(arguments: str = "") -> str:
    """Run the command and return what it printed."""
    words = ["rescore", *shlex.split(arguments), "--db", "results.db"]
    result = CliRunner().invoke(command(REGISTRY), words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def scores(scoring: int | None = None) -> list[float | None]:
    """Return the scores of the answers, by default the newest."""
    with closing(open_reader(Path("results.db"))) as reader:
        if scoring is None:
            return [outcome.score for outcome in reader.outcomes(RUN.id)]
        return [outcome.score for outcome in reader.outcomes(RUN.id, scoring=scoring)]


CONTAINS = 'scorer = "contains", text = "Oslo"'
EQUALS = 'scorer = "equals", text = "Oslo"'
BEFORE = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]


def test_the_table_says_what_became_of_checks_and_scores() -> None:
    """Means over cases before and now, and how many answers changed; both scores are in the database."""
    change(EQUALS, CONTAINS)
    shown = rescore().splitlines()
    assert shown == [
        f"{RUN.id}: 1 of 6 answers have another score now (scoring 1, by the checks of village)",
        "",
        "check     cases  before  now   answers changed",
        "equals    1      0.00    –     –",  # noqa: RUF001 - the dash of the tables
        "contains  2      1.00    0.75  0",
        "numeric   1      1.00    1.00  0",
        "",
        "score                      cases  before  now   change  95 % interval",
        "stand-in · greedy · plain  3      0.67    0.83  +0.167  [-0.708, +0.906]",
    ]
    assert scores(0) == BEFORE
    assert scores() == [1.0, *BEFORE[1:]]


def test_a_second_time_there_is_nothing_to_do() -> None:
    """And no scoring is written."""
    assert "nothing to do" in rescore()
    change(EQUALS, CONTAINS)
    rescore()
    assert "nothing to do" in rescore()
    assert rescore("--list").count("village (") == 1


def test_a_dry_run_prints_the_same_and_writes_nothing() -> None:
    """The file stays as it is, byte for byte, and may be in use."""
    change(EQUALS, CONTAINS)
    with closing(open_store(Path("results.db"))):
        shown = rescore("--dry-run")
    before = Path("results.db").read_bytes()
    assert rescore("--dry-run") == shown
    assert Path("results.db").read_bytes() == before
    assert shown == rescore() + "nothing was written; leave out --dry-run to do that\n"


def test_what_was_not_asked_is_not_scored() -> None:
    """A question that was changed, a case that is gone and one that is new: each is named."""
    change(EQUALS, CONTAINS)
    change("34 + 25", "34 + 26")
    change('id = "gone"', 'id = "fresh"')
    shown = rescore().splitlines()
    assert shown[-3:] == [
        "asked otherwise now, and not scored: add",
        "not in the suite any more, and not scored: gone",
        "in the suite now, and not in the run: fresh",
    ]
    assert shown[0].startswith(f"{RUN.id}: 1 of 2 answers")
    assert scores() == [1.0, *BEFORE[1:]]
    with closing(open_reader(Path("results.db"))) as reader:
        assert len(reader.run(RUN.id).scorings[0].notes) == 3


def test_where_no_question_is_the_same_nothing_is_written() -> None:
    """With the reasons."""
    for before, now in (("Norway", "Sweden"), ("34 + 25", "1 + 1"), ("Italy", "Spain")):
        change(before, now)
    with pytest.raises(UsageError, match="none of its answers can be scored again: asked otherwise now"):
        rescore()
    assert scores() == BEFORE
    assert rescore("--list") == f"{RUN.id} was never scored again\n"


def test_scorings_are_listed_and_forgotten() -> None:
    """The newest goes first; what the run was made with cannot go."""
    change(EQUALS, CONTAINS)
    rescore()
    change(CONTAINS, 'scorer = "icontains", text = "bergen"')
    rescore()
    assert scores() == [0.0, 1.0, *BEFORE[2:]]
    assert [line.split()[0] for line in rescore("--list").splitlines()] == ["scoring", "0", "1", "2"]
    assert f"{RUN.id}: scoring 2 of " in rescore("--undo")
    assert scores() == [1.0, *BEFORE[1:]]
    rescore("--undo")
    assert scores() == BEFORE
    with pytest.raises(StoreError, match="was never scored again"):
        rescore("--undo")


def test_how_repeats_are_reduced_is_part_of_how_a_case_is_judged() -> None:
    """The answers keep their scores, and the case has another one."""
    change(EQUALS, CONTAINS)
    change("repeats = 2", 'repeats = 2\nreduce = "pass_at_k"\nk = 2')
    assert "stand-in · greedy · plain  3      0.67    1.00  +0.333" in rescore()
    with closing(open_reader(Path("results.db"))) as reader:
        outcomes = reader.outcomes(RUN.id)
    assert {(each.trial.cell.case.reduce, each.trial.cell.case.k) for each in outcomes} == {("pass_at_k", 2)}


def test_a_case_with_too_few_answers_for_its_k_is_named() -> None:
    """It had a score, and has none now: not because of its answers."""
    change("repeats = 2", 'repeats = 3\nreduce = "pass_hat_k"\nk = 3')
    why = "answered fewer times than their k, and without a score: norway, add, gone"
    assert why in rescore("--dry-run")
    change("k = 3", "k = 2")
    assert "answered fewer times" not in rescore()


def test_reports_and_the_list_of_runs_say_that_a_run_was_scored_again() -> None:
    """And the original scores can be reported."""
    change(EQUALS, CONTAINS)
    rescore()

    def shown(*words: str) -> str:
        result = CliRunner().invoke(command(REGISTRY), [*words, "--db", "results.db"], catch_exceptions=False)
        return result.output

    assert "done, scored again" in shown("runs")
    for scoring, score, is_told in (("1", "0.83", True), ("0", "0.67", False)):
        shown("report", "--scoring", scoring, "--out", scoring)
        text = (Path(scoring) / RUN.id / "report.md").read_text()
        assert f"The score is {score}" in text
        assert ("**Scored again:** on " in text) == is_told
    with pytest.raises(UnknownName, match=r'no scoring named "7"; known: 0, 1'):
        shown("report", "--scoring", "7")


def test_gates_judge_the_newest_scores_and_say_so() -> None:
    """Those that were judged before are marked until then."""
    with closing(open_store(Path("results.db"))) as store:
        store.gate(Gating(candidate=RUN.id, base=None, found="no base", blocks=None, gated=()))
    change(EQUALS, CONTAINS)
    rescore()
    with closing(open_reader(Path("results.db"))) as reader:
        gating = reader.gating(RUN.id)
    assert gating is not None
    assert gating.notes == (
        "these verdicts are by the scores of before; gemma-eval gate judges the run anew",
    )
    words = ["gate", "--db", "results.db"]
    result = CliRunner().invoke(command(REGISTRY), words, catch_exceptions=False)
    assert " ".join(result.output.split()).count("was scored again, and is judged by scoring 1") == 1


# --- judges ------------------------------------------------------------------------------------------

CRITIC = 'scorer = "critic"'


def test_a_judge_is_asked_when_that_is_said() -> None:
    """Without it a new check that asks one has no score, with the reason and the option."""
    change(f"{{ {EQUALS} }}", f"{{ {EQUALS} }}, {{ {CRITIC} }}")
    shown = rescore("--dry-run")
    assert "2 answers keep what models said of them; --judge asks again" in shown
    assert "0 cases have a score only now, 1 have none any more" in shown
    assert "--judge" not in rescore("--judge")
    assert scores()[:2] == [0.125, 0.125]


def test_what_a_judge_said_is_kept_until_it_is_asked_again() -> None:
    """A change beside it does not cost its word."""
    change(f"{{ {EQUALS} }}", f"{{ {EQUALS} }}, {{ {CRITIC} }}")
    rescore("--judge")
    change(EQUALS, CONTAINS)
    rescore()
    assert scores()[:2] == [0.625, 0.125]
    change(CRITIC, f"{CRITIC}, weight = 3.0")
    rescore()
    assert scores()[:2] == [0.4375, 0.1875]


# --- which suite -------------------------------------------------------------------------------------


def test_a_suite_from_elsewhere_is_given_by_its_path(tmp_path: Path) -> None:
    """Where the run does not tell, or the file was moved."""
    change(EQUALS, CONTAINS)
    (tmp_path / "moved").mkdir()
    Path("village.toml").rename("moved/village.toml")
    Path("models.toml").rename("moved/models.toml")
    with pytest.raises(UsageError, match=r'suite "village" of run .* is not found; .* --suite FILE'):
        rescore()
    assert "1 of 6 answers" in rescore("--suite moved/village.toml")


def test_a_suite_that_the_run_is_not_of_is_refused() -> None:
    """By its name."""
    Path("other.toml").write_text(SUITE)
    with pytest.raises(UnknownName, match='named "other"'):
        rescore("--suite other.toml")


def test_a_suite_with_mistakes_is_told_of_and_nothing_is_written() -> None:
    """As when it is run."""
    change(EQUALS, 'scorer = "equal", text = "Oslo"')
    with pytest.raises(SuiteError, match="equals"):
        rescore()
    assert scores() == BEFORE


def test_a_database_that_is_being_written_is_refused() -> None:
    """One writer at a time."""
    change(EQUALS, CONTAINS)
    with closing(open_store(Path("results.db"))), pytest.raises(StoreError, match="is writing to it"):
        rescore()


def test_what_is_not_there_is_named_and_not_made() -> None:
    """A run, or the database itself."""
    with pytest.raises(UnknownName, match="no run named"):
        rescore("nothing")
    words = ["rescore", "--db", "nowhere.db"]
    with pytest.raises(StoreError, match="there is no results database"):
        CliRunner().invoke(command(REGISTRY), words, catch_exceptions=False)
    assert not Path("nowhere.db").exists()
