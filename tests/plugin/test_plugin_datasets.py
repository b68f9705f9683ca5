"""A dataset in a run: an item per row, or one for all rows in which each is still its own outcome."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from gemma_eval.pytest_plugin.counter import BEGIN, END, Counter
from tests.plugin.killing import running
from tests.plugin.project import head, latest, newest_run, results, write_project
from tests.plugin.test_plugin_resume import INTERRUPTING, determined, has_run, keep

SUITE = ("--gemma-suite", "cities.gemma.toml")
TOWNS = ("Oslo", "Rome", "Bern")


def a_dataset(folder: Path, *, rows: int, keys: str = "", demand: str = "", model: str = "other") -> Path:
    """Write a suite whose one case is asked with so many rows; every third is about Oslo."""
    (folder / "qa.jsonl").write_text(
        "".join(f"{json.dumps({'q': f'{n}?', 'a': TOWNS[n % 3], 'id': f'r{n}'})}\n" for n in range(rows))
    )
    case = f"""
[[case]]
id = "qa"
prompt = "{{{{ q }}}}"
checks = [{{ scorer = "contains", text = "{{{{ a }}}}"{demand} }}]
[case.dataset]
path = "qa.jsonl"
id_column = "id"
{keys}
"""
    return write_project(folder, head(models=(model,)) + case)


WHOLE = 'granularity = "dataset"'


def test_every_row_of_a_small_dataset_is_an_item(pytester: pytest.Pytester) -> None:
    """It can be chosen by its id, and fails by itself."""
    a_dataset(pytester.path, rows=4, demand=", pass_at = 1")
    result = pytester.runpytest_inprocess(*SUITE, "-v")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*::qa-r3?other/greedy/plain? PASSED*"])
    pytester.runpytest_inprocess(*SUITE, "-k", "qa-r3").assert_outcomes(passed=1, deselected=3)


def test_a_large_dataset_is_one_item_whose_rows_are_outcomes(pytester: pytest.Pytester) -> None:
    """Nothing is shown for a row; what is stored is what an item per row would have stored."""
    a_dataset(pytester.path, rows=9, keys=WHOLE)
    result = pytester.runpytest_inprocess(*SUITE, "-v")
    result.assert_outcomes(passed=1)
    assert result.stdout.str().count("PASSED") == 1
    result.stdout.fnmatch_lines(["*::qa?other/greedy/plain? PASSED*", "9 of 9 trials recorded"])
    whole = determined(latest(pytester.path))
    assert newest_run(pytester.path).state == "done"
    assert set(newest_run(pytester.path).engines) == {"other"}
    a_dataset(pytester.path, rows=9)
    pytester.runpytest_inprocess(*SUITE).assert_outcomes(passed=9)
    assert determined(latest(pytester.path)) == whole


def test_more_rows_than_make_items_are_one_item(pytester: pytest.Pytester) -> None:
    """Where the suite does not say; the plan tells how many there are."""
    a_dataset(pytester.path, rows=2001)
    result = pytester.runpytest_inprocess(*SUITE, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*::qa?other/greedy/plain?", "1 test collected*"])
    result = pytester.runpytest_inprocess(*SUITE, "--gemma-plan")
    result.stdout.fnmatch_lines(
        [
            "  qa?other/greedy/plain?  quality, 2001 rows, 2001 generations",
            "1 cell, 2001 generations to be recorded, 0 to warm up",
        ]
    )


def test_the_item_fails_when_rows_miss_a_demand(pytester: pytest.Pytester) -> None:
    """The first ten are named, each with what it missed; all are recorded."""
    a_dataset(pytester.path, rows=30, keys=WHOLE, demand=", pass_at = 1")
    result = pytester.runpytest_inprocess(*SUITE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["20 of 30 rows miss a demand; the first 10:", "  qa-r1: contains: 0.00 is below pass_at = 1.0"]
    )
    failures, _, _ = result.stdout.str().partition("short test summary info")  # which says it all again in CI
    assert failures.count(" is below pass_at") == 10
    assert len(latest(pytester.path)) == 30


def test_a_row_that_cannot_be_asked_fails_alone(pytester: pytest.Pytester) -> None:
    """It was not among the first, which are looked at when the suite is collected."""
    path = a_dataset(pytester.path, rows=120, keys=WHOLE)
    lines = (path.parent / "qa.jsonl").read_text().splitlines()
    lines[110] = json.dumps({"q": " ", "a": "Oslo", "id": "r110"})
    (path.parent / "qa.jsonl").write_text("\n".join(lines))
    result = pytester.runpytest_inprocess(*SUITE)
    result.stdout.fnmatch_lines(
        ["1 of 120 rows misses a demand:", "  qa-r110: qa.jsonl:111: prompt is empty", "120 of 120 trials*"]
    )
    failed = [outcome for outcome in latest(pytester.path) if outcome.failure is not None]
    assert [outcome.trial.cell.case.id for outcome in failed] == ["qa-r110"]


def test_only_the_rows_that_are_missing_are_run_again(pytester: pytest.Pytester) -> None:
    """And none when all are recorded, which the item then says."""
    a_dataset(pytester.path, rows=8, keys=WHOLE)
    pytester.runpytest_inprocess(*SUITE)
    whole = determined(latest(pytester.path))
    kept = [outcome.generation for outcome in latest(pytester.path)[:5]]
    keep(pytester.path, 5)
    pytester.runpytest_inprocess(*SUITE, "--gemma-resume", "latest").assert_outcomes(passed=1)
    assert determined(latest(pytester.path)) == whole
    assert [outcome.generation for outcome in latest(pytester.path)[:5]] == kept
    result = pytester.runpytest_inprocess(*SUITE, "-v", "--gemma-resume", "latest")
    result.stdout.fnmatch_lines(["*::qa?other/greedy/plain? RECORDED*"])


def test_workers_send_each_row_as_it_is_done(pytester: pytest.Pytester) -> None:
    """With pytest-xdist: one process records, and a worker that dies takes nothing of it."""
    path = a_dataset(pytester.path, rows=8, keys=WHOLE)
    pytester.runpytest_inprocess(*SUITE)
    whole = determined(latest(pytester.path))
    result = pytester.runpytest_subprocess(*SUITE, "-n", "2", "-p", "no:benchmark", "-v")
    result.stdout.fnmatch_lines(["*PASSED*qa?other/greedy/plain?*", "8 of 8 trials recorded", "*1 passed*"])
    assert determined(latest(pytester.path)) == whole
    pytester.makeconftest(DYING)
    models = path.parent / "models.toml"
    models.write_text(models.read_text().replace('backend = "scripted"', 'backend = "dying"'))
    result = pytester.runpytest_subprocess(*SUITE, "-n", "1", "-p", "no:benchmark")
    result.stdout.fnmatch_lines(["*crashed while running*"])
    assert len(latest(pytester.path)) == 5


DYING = (
    INTERRUPTING.replace("os.kill(os.getpid(), signal.SIGINT)", "os._exit(9)")
    .replace('Path("interrupt.txt").read_text()', '"6"')
    .replace('"interrupting"', '"dying"')
)


def test_a_kill_loses_no_row_that_was_recorded(tmp_path: Path) -> None:
    """`kill -9` in the middle of an item; going on makes of it what one whole run is."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
        a_dataset(folder, rows=40, keys=WHOLE, model="slow")
    with running(killed, SUITE) as run:
        until_recorded(killed, 4)
        run.process.kill()
        run.process.join()
    assert 4 <= len(latest(killed)) < 40
    for folder, resuming in ((killed, ["--gemma-resume", "latest"]), (whole, [])):
        with running(folder, [*SUITE, *resuming]) as run:
            run.printed.read()
    assert determined(latest(killed)) == determined(latest(whole))
    with results(killed) as reader:
        assert [run.state for run in reader.runs()] == ["done"]


def until_recorded(folder: Path, n: int) -> None:
    """Wait until so many outcomes are recorded."""
    waited = threading.Event()
    for _ in range(600):
        if (folder / "reports" / "gemma_eval.db").exists() and has_run(folder) and len(latest(folder)) >= n:
            return
        waited.wait(0.1)
    raise AssertionError("the rows are not recorded")


@pytest.mark.parametrize("concurrency", [1, 2])
def test_ctrl_c_costs_no_row_that_was_answered(pytester: pytest.Pytester, concurrency: int) -> None:
    """Rows in flight end; the run says how to go on, and going on makes it whole."""
    pytester.makeconftest(INTERRUPTING)
    path = a_dataset(pytester.path, rows=12, keys=f"{WHOLE}\nconcurrency = {concurrency}", model="slow")
    models = path.parent / "models.toml"
    models.write_text(models.read_text().replace('backend = "scripted"', 'backend = "interrupting"'))
    at = pytester.path / "interrupt.txt"
    at.write_text("6")
    result = pytester.runpytest_subprocess(*SUITE, "-p", "no:benchmark")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["interrupted: * trials are missing*", "go on with it:*"])
    part = latest(pytester.path)
    assert 5 <= len(part) <= 7
    at.write_text("never")
    result = pytester.runpytest_inprocess(*SUITE, "--gemma-resume", "latest")
    result.stdout.fnmatch_lines(["12 of 12 trials recorded"])
    assert {outcome.trial.key for outcome in part} < {outcome.trial.key for outcome in latest(pytester.path)}


def test_what_is_wrong_with_a_dataset_is_a_collection_error(pytester: pytest.Pytester) -> None:
    """In a line for each problem, with its file and line, and without a traceback."""
    path = a_dataset(pytester.path, rows=3)
    with (path.parent / "qa.jsonl").open("a") as file:
        file.write('{"q": "?"\n{"q": "x", "a": "b", "id": "r1"}\n')
    result = pytester.runpytest_inprocess(*SUITE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*qa.jsonl:4: is not JSON from character 10 on*",
            '*qa.jsonl:5: makes a case "qa-r1" as line 2 does*',
        ]
    )
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_the_first_of_a_dataset_can_be_run(pytester: pytest.Pytester) -> None:
    """By --gemma-repeats as often as that, and by -x no further than one item."""
    a_dataset(pytester.path, rows=3, keys=WHOLE)
    pytester.runpytest_inprocess(*SUITE, "--gemma-repeats", "2", "-x").assert_outcomes(passed=1)
    repeats = [(outcome.trial.cell.case.id, outcome.trial.repeat) for outcome in latest(pytester.path)]
    assert repeats == [(f"qa-r{n}", repeat) for n in range(3) for repeat in range(2)]


def test_the_counter_is_written_over_and_leaves_nothing() -> None:
    """Five times a second at most, in what is left of the line."""
    written: list[str] = []
    now_s = iter([0.0, 0.0, 0.1, 0.3, 0.4])
    count = Counter(written.append, of=5000, clock_s=lambda: next(now_s))
    for done in (1, 40, 1200, 1300):
        count.show(done)
    count.clear()
    assert written == [f"{BEGIN} 1/5,000{END}", f"{BEGIN} 1,200/5,000{END}", f"{BEGIN}{END}"]


def test_a_terminal_shows_how_far_a_dataset_is(pytester: pytest.Pytester) -> None:
    """And what is no terminal shows nothing of it."""
    a_dataset(pytester.path, rows=3, keys=WHOLE)
    assert "\x1b" not in pytester.runpytest_inprocess(*SUITE).stdout.str()
    pytester.makeconftest(TERMINAL)
    assert f"{BEGIN} 1/3{END}" in pytester.runpytest_inprocess(*SUITE).stdout.str()


TERMINAL = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reporter.isatty = type(reporter.isatty)(True)
"""
