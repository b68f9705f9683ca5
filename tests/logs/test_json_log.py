"""A log is a line of JSON for each event, whoever writes it, and says of each what it is about."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.logs import context, json_file
from gemma_eval.logs.context import About
from gemma_eval.logs.events import EVENTS, emit, is_on
from gemma_eval.records import ModelSpec
from tests.plugin.gating import SUITE, runs_of, session, write_gated
from tests.plugin.project import CITIES, NEVER, a_case, head, latest, newest_run, write_project

Line = dict[str, object]
TIMED = '[[case]]\nid = "fast"\nkind = "benchmark"\nprompt = "Say it."\nrepeats = 1\nwarmup = 0\n'
QUIET = ("-p", "no:cacheprovider", "-p", "no:benchmark")
OF_ANY = {
    *("time", "level", "event", "run", "worker", "trial", "suite", "case", "model", "profile", "template"),
    *("retrieval", "repeat", "block"),
}
"""What any line may have beside the fields of its event."""


def lines(path: Path) -> list[Line]:
    """Return the lines of a log; each is a whole object with a known event and known fields."""
    text = path.read_text()
    assert text.endswith("\n")
    found = [cast(Line, json.loads(line)) for line in text.splitlines()]
    for line in found:
        event = EVENTS[str(line["event"])]
        if line["event"] != "message":  # what others tell may have fields of its own
            assert set(line) - OF_ANY <= set(event.fields), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["time"]))
        assert line["level"] in ("info", "warning", "error")
    return found


def of(found: list[Line], event: str) -> list[Line]:
    """Return the lines of one event."""
    return [line for line in found if line["event"] == event]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Write a log while the test runs."""
    path = tmp_path / "log.jsonl"
    json_file.start(path)
    yield path
    json_file.stop()


def test_a_run_is_told_from_its_start_to_its_end(pytester: pytest.Pytester) -> None:
    """Engine, cells and outcomes, each with the names that it has in the database."""
    write_project(pytester.path)
    pytester.runpytest_inprocess("--gemma-log-json", "log.jsonl").assert_outcomes(passed=3)
    found = lines(pytester.path / "log.jsonl")
    told = Counter(str(line["event"]) for line in found)
    assert told == {
        "engine_loaded": 1,
        "run_started": 1,
        "cell_started": 3,
        "cell_finished": 3,
        "outcome_recorded": 4,
        "run_finished": 1,
    }
    run = newest_run(pytester.path)
    assert {line["run"] for line in found} == {run.id}
    assert [line["trial"] for line in of(found, "outcome_recorded")] == [
        outcome.trial.key for outcome in latest(pytester.path)
    ]
    (first, *_) = of(found, "outcome_recorded")
    assert (first["suite"], first["case"], first["model"]) == ("cities", "home", "echo")
    assert (first["profile"], first["template"], first["score"]) == ("greedy", "plain", 1.0)
    (ended,) = of(found, "run_finished")
    assert (ended["state"], ended["planned"], ended["recorded"], ended["failed"]) == ("done", 4, 4, 0)
    assert not is_on()


def test_workers_write_whole_lines_into_the_same_log(pytester: pytest.Pytester) -> None:
    """With pytest-xdist each line is of one process, and all are of one run."""
    cases = "".join(a_case(f"case-{number}", keys="repeats = 5") for number in range(40))
    write_project(pytester.path, head(models=("echo", "other")) + cases)
    result = pytester.runpytest_subprocess(
        "-n", "2", "-p", "no:benchmark", "--gemma-log-json", "log.jsonl", "-p", "no:cacheprovider"
    )
    result.assert_outcomes(passed=80)
    found = lines(pytester.path / "log.jsonl")
    assert len(of(found, "outcome_recorded")) == 400
    assert len(of(found, "cell_started")) == len(of(found, "cell_finished")) == 80
    assert {line["run"] for line in found} == {newest_run(pytester.path).id}
    assert {line["worker"] for line in of(found, "cell_finished")} == {"gw0", "gw1"}
    assert not any("worker" in line for line in of(found, "outcome_recorded"))


def test_without_an_answer_the_line_says_why(pytester: pytest.Pytester) -> None:
    """As a warning, after the error of the engine; the run goes on."""
    write_project(pytester.path, head(models=("echo", "broken")) + CITIES)
    pytester.runpytest_inprocess("--gemma-log-json", "log.jsonl").assert_outcomes(passed=3, failed=3)
    found = lines(pytester.path / "log.jsonl")
    (failed,) = of(found, "engine_failed")
    assert (failed["level"], failed["model"], failed["failure_kind"]) == (
        "error",
        "broken",
        "model_not_found",
    )
    without = [line for line in of(found, "outcome_recorded") if line["level"] == "warning"]
    assert {line["failure_kind"] for line in without} == {"model_not_found"}
    assert len(without) == 4


def test_gates_are_told(pytester: pytest.Pytester) -> None:
    """Each with its verdict."""
    gates = '[[gate]]\nid = "good"\nmetric = "score"\nlimit = 0.5\n'
    write_project(pytester.path, gates + head() + NEVER)
    pytester.runpytest_inprocess("--gemma-log-json", "log.jsonl")
    (gate,) = of(lines(pytester.path / "log.jsonl"), "gate_decided")
    assert str(gate["gate"]).startswith("good[")
    assert gate["metric"] == "score"


def test_blocks_are_told_by_the_session_that_starts_them(tmp_path: Path) -> None:
    """Their own processes write no log, whatever the environment says."""
    write_gated(tmp_path, cases=a_case("home") + TIMED)
    log = tmp_path / "log.jsonl"
    session(tmp_path, *SUITE, "--gemma-blocks", "2", f"--gemma-log-json={log}", "-q")
    found = lines(log)
    (run,) = runs_of(tmp_path)
    assert {line["run"] for line in found} == {run}
    assert [(line["block"], line["trials"], line["failed"]) for line in of(found, "block_recorded")] == [
        (1, 1, 0),
        (2, 1, 0),
    ]


def test_the_setting_and_the_variable_name_a_log_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable overrules settings.yaml, the option both."""
    write_project(pytester.path)
    (pytester.path / ".gemma-eval").mkdir()
    (pytester.path / ".gemma-eval" / "settings.yaml").write_text("version: 1\nlog_json: a.jsonl\n")
    pytester.runpytest_inprocess()
    assert lines(pytester.path / "a.jsonl")
    monkeypatch.setenv("GEMMA_EVAL_LOG_JSON", "b.jsonl")
    before = (pytester.path / "a.jsonl").read_bytes()
    pytester.runpytest_inprocess()
    assert lines(pytester.path / "b.jsonl")
    pytester.runpytest_inprocess("--gemma-log-json=c.jsonl")
    assert lines(pytester.path / "c.jsonl")
    assert (pytester.path / "a.jsonl").read_bytes() == before


def test_nothing_is_logged_unless_it_is_asked_for(pytester: pytest.Pytester) -> None:
    """No file is made, and no event is on the terminal."""
    write_project(pytester.path)
    before = {path.name for path in pytester.path.iterdir()}
    result = pytester.runpytest_inprocess("--log-cli-level=DEBUG", *QUIET)
    assert {path.name for path in pytester.path.iterdir()} - before == {"reports"}
    result.stdout.no_fnmatch_line("*outcome_recorded*")


def test_a_log_is_not_shown_on_the_terminal(pytester: pytest.Pytester) -> None:
    """However much pytest is told to show of logs."""
    write_project(pytester.path)
    result = pytester.runpytest_inprocess("--gemma-log-json=log.jsonl", "--log-cli-level=DEBUG")
    result.stdout.no_fnmatch_line("*outcome_recorded*")
    assert lines(pytester.path / "log.jsonl")


def test_a_log_that_cannot_be_written_is_said_before_anything_runs(pytester: pytest.Pytester) -> None:
    """With the exit code of a usage error and no database."""
    write_project(pytester.path)
    result = pytester.runpytest_inprocess("--gemma-log-json=no/such/folder/log.jsonl")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*log.jsonl: the log cannot be written there: No such file*"])
    assert not (pytester.path / "reports").exists()


def test_a_second_run_goes_on_at_the_end_of_the_file(pytester: pytest.Pytester) -> None:
    """Nothing that was told is lost, and the runs are told apart."""
    write_project(pytester.path)
    for _ in range(2):
        pytester.runpytest_inprocess("--gemma-log-json=log.jsonl")
    assert len({line["run"] for line in lines(pytester.path / "log.jsonl")}) == 2


def test_a_plugin_that_logs_is_heard_with_what_it_is_about(pytester: pytest.Pytester) -> None:
    """Its lines carry the trial that is being scored, without its doing anything for that."""
    pytester.makeconftest(
        "import logging, gemma_eval\n"
        "def score(case, generation):\n"
        "    logging.getLogger('gemma_eval.mine').info('seen %s', case.id, extra={'more': 1})\n"
        "    return gemma_eval.Score(scorer='mine', value=1.0, passed=None)\n"
        "@gemma_eval.hookimpl\n"
        "def register_scorers(register):\n"
        "    register('mine', lambda options: score)\n"
    )
    case = '[[case]]\nid = "heard"\nprompt = "?"\nchecks = [{ scorer = "mine" }]\n'
    write_project(pytester.path, head() + case)
    pytester.runpytest_inprocess("--gemma-log-json=log.jsonl").assert_outcomes(passed=1)
    found = lines(pytester.path / "log.jsonl")
    (said,) = of(found, "message")
    assert (said["logger"], said["message"], said["more"]) == ("gemma_eval.mine", "seen heard", 1)
    assert said["trial"] == of(found, "outcome_recorded")[0]["trial"]
    assert said["case"] == "heard"


def test_commands_are_told_with_their_exit_code(tmp_path: Path) -> None:
    """And with what a person can mend."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gemma_eval", "--log-json", "log.jsonl", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert call("plugins").returncode == 0
    assert call("runs").returncode == 2
    found = lines(tmp_path / "log.jsonl")
    assert [(line["command"], line["exit_code"]) for line in of(found, "command_finished")] == [
        ("plugins", 0),
        ("runs", 2),
    ]
    assert "there is no results database" in str(of(found, "error")[0]["failure_message"])
    refused = subprocess.run(
        [sys.executable, "-m", "gemma_eval", "--log-json", "no/such/folder/x", "plugins"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the log cannot be written there" in refused.stderr


def test_what_a_command_starts_writes_into_its_log(tmp_path: Path) -> None:
    """`benchmark` becomes pytest, which tells the run."""
    write_project(tmp_path)
    command = [sys.executable, "-m", "gemma_eval", "--log-json", "log.jsonl", "benchmark"]
    subprocess.run([*command, "cities.gemma.toml"], cwd=tmp_path, capture_output=True, check=True)
    told = [line["event"] for line in lines(tmp_path / "log.jsonl")]
    assert told[0] == "command_started"
    assert told[-1] == "run_finished"


WRITER = """
import sys
from pathlib import Path
from gemma_eval.logs import json_file
from gemma_eval.logs.events import emit
json_file.start(Path(sys.argv[1]), worker=sys.argv[2])
for number in range(200):
    emit("error", failure_kind=str(number), failure_message=sys.argv[2] * (number * 37 % 6000))
"""


def test_lines_of_processes_that_write_at_once_are_not_torn(tmp_path: Path) -> None:
    """Long ones neither: a line is one write at the end of the file."""
    path = tmp_path / "log.jsonl"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, name]) for name in "abcd"]
    assert [writer.wait() for writer in writers] == [0] * 4
    found = lines(path)
    assert Counter(line["worker"] for line in found) == dict.fromkeys("abcd", 200)
    for name in "abcd":
        ours = [line for line in found if line["worker"] == name]
        assert [line["failure_kind"] for line in ours] == [str(number) for number in range(200)]


def test_a_text_in_a_line_stays_one_line_and_is_kept_short(log: Path) -> None:
    """Whatever stands in it."""
    hostile = 'a\nb\r\n"\u2028\x00\x1b[2J\ud800 Å'
    emit("error", failure_kind="x", failure_message=hostile)
    emit("error", failure_kind="x", failure_message="x" * 1_000_000)
    first, second = lines(log)
    assert first["failure_message"] == hostile
    assert len(str(second["failure_message"])) < 10_000


def test_a_secret_leaves_the_line_whole_and_is_not_cut_in_half(log: Path) -> None:
    """Neither a key that ends where a text is cut, nor one that has no end, nor what stands deeper."""
    key = "sk-proj-Canary4713Canary4713Canary4713"
    emit("error", failure_kind="x", failure_message="-----BEGIN PRIVATE KEY-----\nCanary")
    emit("error", failure_kind="x", failure_message=f"what it was asked with:\n{key}\n")
    emit("error", failure_kind="x", failure_message=" " * (json_file.LONGEST - 20) + key)
    logger = logging.getLogger("gemma_eval.part")
    logger.warning("asked", extra={"sent": {"keys": [key, (key,)]}, "at": Path(key), "share": math.nan})
    assert "Canary" not in log.read_text()
    cut, deep = lines(log)[2:]
    assert str(cut["failure_message"]).endswith(" <hidden>")
    assert deep["sent"] == {"keys": ["<hidden>", ["<hidden>"]]}
    assert deep["share"] == "nan"


def test_what_is_told_is_about_what_is_worked_on(log: Path) -> None:
    """In the block, in this thread, and no longer."""
    spec = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
    with About(spec):
        emit("error", failure_kind="x", failure_message="y")
    emit("error", failure_kind="x", failure_message="y")
    assert [line.get("model") for line in lines(log)] == ["pocket", None]


def test_a_traceback_is_part_of_its_line(log: Path) -> None:
    """As the standard library's loggers give it."""
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("gemma_eval.part").exception("it broke")
    (line,) = lines(log)
    assert line["message"] == "it broke"
    assert "ValueError: why" in str(line["exc_info"])


def test_a_full_disk_ends_the_log_and_nothing_else() -> None:
    """It is said when asked for."""
    json_file.start(Path("/dev/full"))
    try:
        emit("error", failure_kind="x", failure_message="y")
        emit("error", failure_kind="x", failure_message="y")
        assert json_file.flaw() == "No space left on device"
    finally:
        json_file.stop()
    assert json_file.flaw() is None


def test_a_pipe_gets_the_lines_and_one_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    """It would be waited for without a word."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="nobody reads the pipe"):
        json_file.start(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    json_file.start(pipe)
    emit("error", failure_kind="x", failure_message="y")
    assert json.loads(os.read(reader, 10_000))["failure_message"] == "y"
    os.close(reader)
    emit("error", failure_kind="x", failure_message="y")
    assert json_file.flaw() == "Broken pipe"
    json_file.stop()


def test_a_full_disk_is_said_at_the_end_of_a_command_and_fails_nothing() -> None:
    """As at the end of a run."""
    words = (sys.executable, "-m", "gemma_eval", "--log-json", "/dev/full", "config", "path")
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr.endswith("gemma-eval: /dev/full: the log is not whole: No space left on device\n")


@pytest.mark.parametrize("what", ["a suite that is asked for", "a suite", "the run"])
def test_what_keeps_a_run_from_beginning_is_told(pytester: pytest.Pytester, what: str) -> None:
    """A log that only ends would say that all was well."""
    write_project(pytester.path)
    given = ["--gemma-log-json", "log.jsonl"]
    if "suite" in what:
        write_project(pytester.path, "version = 1\n[[case]]\nid = 'bare'\n")
        given += ["--gemma-suite", "cities.gemma.toml"] if "asked" in what else []
    else:
        pytester.runpytest_inprocess().assert_outcomes(passed=3)
        given += ["--gemma-resume=latest", "-k", "home"]
    assert pytester.runpytest_inprocess(*given).ret in (
        pytest.ExitCode.USAGE_ERROR,
        pytest.ExitCode.INTERRUPTED,
    )
    (line,) = of(lines(pytester.path / "log.jsonl"), "error")
    assert ("bare" if "suite" in what else "cannot be resumed") in str(line["failure_message"])


def test_a_full_disk_is_said_at_the_end_of_a_run_and_fails_nothing(pytester: pytest.Pytester) -> None:
    """What was measured is what a run is for."""
    write_project(pytester.path)
    result = pytester.runpytest_inprocess("--gemma-log-json=/dev/full")
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["/dev/full: the log is not whole: No space left on device"])


def test_an_event_that_is_unknown_is_a_fault_of_code(log: Path) -> None:
    """So that no event is told that the page does not explain."""
    with pytest.raises(KeyError):
        emit("no_such_event")
    assert not log.read_text()


def test_ending_a_log_leaves_nothing_behind(tmp_path: Path) -> None:
    """The logger is as it was, and a second end does nothing."""
    logger = logging.getLogger("gemma_eval")
    before = (logger.level, tuple(logger.handlers), logger.propagate)
    json_file.start(tmp_path / "a.jsonl", run="r", worker="w")
    json_file.stop()
    json_file.stop()
    assert (logger.level, tuple(logger.handlers), logger.propagate) == before
    assert context.known() == {"run": None, "worker": None}
    with pytest.raises(UsageError, match="Is a directory"):
        json_file.start(tmp_path)
