"""A run records what it measures, fails what was demanded and missed, and says where the results are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugin.project import CITIES, NEVER, a_case, head, latest, results, write_project


def test_a_wrong_answer_is_a_datum(pytester: pytest.Pytester) -> None:
    """Without `pass_at` a score of 0 is recorded and the item passes."""
    write_project(pytester.path, head() + CITIES)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    assert 0.0 in [outcome.score for outcome in latest(pytester.path)]


def test_a_missed_demand_fails_the_item_in_plain_words(pytester: pytest.Pytester) -> None:
    """With `pass_at` the item fails, showing the demand, the prompt, the answer and no traceback."""
    write_project(pytester.path, head(models=("other",)) + NEVER)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["contains: 0.00 is below pass_at = 1.0", "  prompt: ?", "  answer: Finn lives in Oslo"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*CellFailure*")


def test_repeats_are_judged_by_their_mean(pytester: pytest.Pytester) -> None:
    """Two answers in Oslo or Rome meet a demand of one half or less, when one of them is right."""
    write_project(pytester.path, head() + a_case("half", pass_at=0.01, keys="repeats = 40"))
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    write_project(pytester.path, head() + a_case("half", pass_at=0.99, keys="repeats = 40"))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["contains: 0.?? (mean of 40) is below pass_at = 0.99"])


def test_only_repeats_are_recorded_and_no_warm_up(pytester: pytest.Pytester) -> None:
    """The benchmark case warms up three times and is recorded twice."""
    write_project(pytester.path)
    pytester.runpytest_inprocess()
    fast = [outcome for outcome in latest(pytester.path) if outcome.trial.cell.case.id == "fast"]
    assert [outcome.trial.repeat for outcome in fast] == [0, 1]
    assert fast[0].trial.cell.case.warmup == 3


def test_the_run_ends_with_a_table_and_the_paths(pytester: pytest.Pytester) -> None:
    """The table fits 80 columns; the paths are relative and exist."""
    write_project(pytester.path, head(models=("echo", "other"), profiles=("greedy", "hot")) + CITIES)
    result = pytester.runpytest_inprocess()
    result.stdout.fnmatch_lines(
        ["*gemma_eval: run *", "model echo", "profile*score*TTFT p50/p95*n", "greedy *plain *40.0*ms*",
         "model other", "hot *", "16 of 16 trials recorded",
         "database *reports/gemma_eval.db", "report *reports/*"]
    )  # fmt: skip
    start = next(
        place for place, line in enumerate(result.outlines) if "gemma_eval: run 2" in line and "==" in line
    )
    assert all(len(line) <= 80 for line in result.outlines[start:])
    named = [line.split()[-1] for line in result.outlines if line.startswith(("database ", "report "))]
    assert len(named) >= 2
    assert all((pytester.path / path).is_file() for path in named)


def test_the_run_says_what_it_was(pytester: pytest.Pytester) -> None:
    """Suites, command line, engines and host are stored, and the state is *done*."""
    write_project(pytester.path)
    pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml")
    with results(pytester.path) as reader:
        run = reader.run("latest")
    assert (run.suites, run.planned, run.state) == (("cities",), 4, "done")
    assert run.arguments[-2:] == ("--gemma-suite", "cities.gemma.toml")
    assert set(run.engines) == {"echo"}
    assert run.ended_utc is not None
    assert run.ended_utc >= run.started_utc
    assert run.clock_offset_ns is not None
    now_ns = run.clock_offset_ns + time.perf_counter_ns()
    assert abs(now_ns - time.time_ns()) < 60e9


def test_database_and_reports_go_where_they_are_told(pytester: pytest.Pytester) -> None:
    """Options win over the ini file, which wins over the default."""
    write_project(pytester.path)
    pytester.makeini("[pytest]\ngemma_db = store/ini.db\ngemma_reports = ini-reports")
    pytester.runpytest_inprocess()
    assert (pytester.path / "store" / "ini.db").is_file()
    assert (pytester.path / "ini-reports" / "latest").exists()
    pytester.runpytest_inprocess("--gemma-db", "option.db", "--gemma-report", "option-reports")
    assert (pytester.path / "option.db").is_file()
    assert (pytester.path / "option-reports" / "latest").exists()
    assert not (pytester.path / "reports").exists()


def test_junit_has_the_cells_and_their_failures(pytester: pytest.Pytester) -> None:
    """Every cell is a test case, and a missed demand is a failure, also in JUnit XML."""
    write_project(pytester.path, head() + CITIES + NEVER)
    pytester.runpytest_inprocess("--junitxml", "junit.xml")
    suite = ElementTree.parse(pytester.path / "junit.xml").getroot()[0]  # noqa: S314 - our own file
    assert suite.attrib["tests"] == "4"
    assert suite.attrib["failures"] == "1"
    assert "never[echo/greedy/plain]" in {case.attrib["name"] for case in suite.iter("testcase")}


def test_x_leaves_a_partial_report_that_says_so(pytester: pytest.Pytester) -> None:
    """After `-x` the run is interrupted, what was recorded is reported, and the way to go on is shown."""
    write_project(pytester.path, head(models=("other",)) + NEVER + CITIES)
    result = pytester.runpytest_inprocess("-x")
    result.stdout.fnmatch_lines(
        ["1 of 5 trials recorded", "interrupted: 4 trials are missing*", "go on with it: *"]
    )
    with results(pytester.path) as reader:
        assert reader.run("latest").state == "interrupted"
    assert list((pytester.path / "reports" / "latest").iterdir())


def test_a_selection_is_a_whole_run(pytester: pytest.Pytester) -> None:
    """What `-k` leaves out was not planned and is not missing."""
    write_project(pytester.path)
    pytester.runpytest_inprocess("-k", "home").stdout.fnmatch_lines(["1 of 1 trials recorded"])
    with results(pytester.path) as reader:
        assert (reader.run("latest").state, reader.run("latest").planned) == ("done", 1)


def test_collecting_opens_no_database(pytester: pytest.Pytester) -> None:
    """`--co` leaves the folder as it was."""
    write_project(pytester.path)
    pytester.runpytest_inprocess("--co")
    assert not (pytester.path / "reports").exists()


def test_an_answer_cannot_drive_the_terminal(pytester: pytest.Pytester) -> None:
    """Control and direction characters of an answer are shown, not sent."""
    write_project(pytester.path, head(models=("hostile",)) + NEVER)
    shown = str(pytester.runpytest_inprocess().stdout)
    assert "egniht" in shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


def test_a_model_that_does_not_load_fails_its_items_with_one_message(pytester: pytest.Pytester) -> None:
    """The other model is measured; the items of the broken one fail in one line each, as missing data."""
    write_project(pytester.path, head(models=("echo", "broken")) + CITIES)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.no_fnmatch_line("*Traceback*")
    saying_it = [line for line in result.outlines if "no-such-folder: no such folder or file" in line]
    messages = [line for line in saying_it if not line.startswith("FAILED ")]  # those are cut at the width
    assert len(messages) == 3
    assert len(set(messages)) == 1
    assert len([outcome for outcome in latest(pytester.path) if outcome.failure is not None]) == 4


def test_a_plugin_in_a_conftest_is_used(pytester: pytest.Pytester) -> None:
    """A scorer that a conftest.py registers scores; its observers see each outcome and the run."""
    pytester.makeconftest(
        """
        import gemma_eval
        from gemma_eval.records import Score

        @gemma_eval.hookimpl
        def register_scorers(register):
            register("length", lambda options: lambda case, generation: Score(
                scorer="length", value=min(len(generation.text) / 4, 1.0), passed=None))

        @gemma_eval.hookimpl
        def outcome_recorded(outcome):
            with open("seen.txt", "a") as file:
                print(outcome.score, file=file)

        @gemma_eval.hookimpl
        def run_finished(report):
            raise ValueError("a fault of the plugin")
        """
    )
    case = '[[case]]\nid = "long"\nprompt = "?"\nchecks = [{ scorer = "length" }]\n'
    write_project(pytester.path, head() + case)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["a plugin failed to observe the run: ValueError: a fault of the plugin"])
    assert (pytester.path / "seen.txt").read_text() == "1.0\n"


def test_the_processes_of_every_server_of_a_run_are_known_from_its_beginning(
    pytester: pytest.Pytester,
) -> None:
    """Lest the second model's be taken for somebody else's, who makes the run noisy; also by a controller."""
    pytester.makeconftest(
        """
        import os
        import gemma_eval
        from gemma_eval.backends import scripted

        class Served:
            def process_ids(self, spec):
                with open("asked.txt", "a") as file:
                    print(spec.name, file=file)
                return (os.getpid(),)

            def __call__(self, spec, *, clock, transforms):
                return scripted.load(spec, clock=clock, transforms=transforms)

        @gemma_eval.hookimpl
        def register_backends(register):
            register("served", Served())
        """
    )
    models = "".join(
        f'[model.{name}]\nbackend = "served"\nlocation = "@scripted"\noptions = {{ reply = "Oslo" }}\n'
        for name in ("here", "there")
    )
    write_project(pytester.path, head(models=("here", "there")) + CITIES)
    (pytester.path / "models.toml").write_text("version = 1\n" + models)
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=6)
    asked = (pytester.path / "asked.txt").read_text().split()
    assert asked == ["here", "there"] * 2  # when the run begins and when it ends


def test_a_backend_that_cannot_be_asked_for_its_processes_costs_no_run(pytester: pytest.Pytester) -> None:
    """One that cannot be imported fails its own cells, and one that raises is asked for nothing else."""
    pytester.makeconftest(
        """
        import gemma_eval
        from gemma_eval.backends import scripted

        class Served:
            def process_ids(self, spec):
                raise OSError("no route to the registry")

            def __call__(self, spec, *, clock, transforms):
                return scripted.load(spec, clock=clock, transforms=transforms)

        @gemma_eval.hookimpl
        def register_backends(register):
            register("served", Served())
            register("absent", "no_such_module:thing")
        """
    )
    models = "".join(
        f'[model.{name}]\nbackend = "{name}"\nlocation = "@scripted"\noptions = {{ reply = "Oslo" }}\n'
        for name in ("served", "absent")
    )
    write_project(pytester.path, head(models=("served", "absent")) + CITIES)
    (pytester.path / "models.toml").write_text("version = 1\n" + models)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.fnmatch_lines(["8 of 8 trials recorded"])


def test_a_reporter_that_fails_costs_no_result(pytester: pytest.Pytester) -> None:
    """Its fault is one line and turns the run red; table, database and the other reports are whole."""
    pytester.makeconftest(
        """
        import gemma_eval

        class Faulty:
            file_name = "faulty.txt"

            def render(self, report):
                raise ValueError("of the reporter")

        @gemma_eval.hookimpl
        def register_reporters(register):
            register("faulty", Faulty)
        """
    )
    write_project(pytester.path)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            'the report "faulty" could not be written: ValueError: of the reporter',
            "model echo",
            "4 of 4 trials recorded",
        ]
    )
    assert len(latest(pytester.path)) == 4
    written = {path.name for path in (pytester.path / "reports" / "latest").iterdir()}
    assert written == {"report.html", "report.md", "results.json"}


def test_a_fault_in_a_backend_is_shown_where_it_is(pytester: pytest.Pytester) -> None:
    """An error that is nobody's input keeps its traceback; the other cells are recorded."""
    pytester.makeconftest(
        """
        import gemma_eval
        from gemma_eval.backends import scripted

        class Faulty(scripted.Scripted):
            def generate(self, prompt, *, profile, seed):
                if "Ada" in prompt.messages[-1].content:
                    raise ZeroDivisionError("of the backend")
                return super().generate(prompt, profile=profile, seed=seed)

        def load(spec, *, clock, transforms):
            loaded = scripted.load(spec, clock=clock, transforms=transforms)
            return Faulty(**{name: getattr(loaded, name) for name in loaded.__dataclass_fields__})

        @gemma_eval.hookimpl
        def register_backends(register):
            register("faulty", load)
        """
    )
    write_project(pytester.path)
    models = pytester.path / "models.toml"
    models.write_text(models.read_text().replace('backend = "scripted"', 'backend = "faulty"'))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*raise ZeroDivisionError*", "3 of 4 trials recorded"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_the_run_in_order(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    """After Ctrl-C or SIGTERM the state is interrupted; database and report hold what was recorded."""
    write_project(tmp_path, head(models=("slow",)) + "".join(a_case(f"case-{n}") for n in range(200)))
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    # a shell's background job ignores Ctrl-C, and so would all that it starts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=_env()) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stdout is not None
        for line in process.stdout:
            if "PASSED" in line:
                break
        process.send_signal(sent)
        rest = process.stdout.read()
    assert process.returncode == code
    assert "interrupted:" in rest
    with results(tmp_path) as reader:
        assert reader.run("latest").state == "interrupted"
    assert latest(tmp_path)
    assert list((tmp_path / "reports" / "latest").iterdir())


def test_acknowledged_is_recorded(tmp_path: Path) -> None:
    """Whatever pytest has shown as passed when it is killed is in the database."""
    write_project(tmp_path, head(models=("slow",)) + "".join(a_case(f"case-{n}") for n in range(200)))
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=_env()) as process:
        assert process.stdout is not None
        shown = 0
        for line in process.stdout:
            shown += "PASSED" in line
            if shown == 5:
                break
        process.kill()
        shown += process.stdout.read().count("PASSED")
    assert len(latest(tmp_path)) >= shown >= 5


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
