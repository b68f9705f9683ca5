"""What a person got wrong is said in a line each, with the exit code of a usage error; nothing is written."""

from __future__ import annotations

import sqlite3
from fnmatch import fnmatch

import pytest

from tests.plugin.project import CITIES, a_case, head, write_project


def refused(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Run, assert exit code 4 and that nothing was written, and return the lines of the errors."""
    result = pytester.runpytest_inprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / "reports").exists()
    said = "\n".join(result.outlines + result.errlines)
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    return [line.removeprefix("ERROR: ") for line in result.errlines if line.strip()]


def test_an_unknown_suite_is_named_with_a_suggestion(pytester: pytest.Pytester) -> None:
    """The nearest name is offered."""
    assert refused(pytester, "--gemma-suite", "standart") == [
        '--gemma-suite standart: no suite named "standart"; did you mean "standard"?'
    ]


def test_all_problems_of_all_suites_are_said_at_once(pytester: pytest.Pytester) -> None:
    """Each problem is one line with file and line; both files are read to their ends."""
    bad = head() + '[[case]]\nid = "a"\npromt = "?"\nchecks = [{ scorer = "contans", text = "x" }]\n'
    write_project(pytester.path, bad, name="one.gemma.toml")
    write_project(pytester.path, bad, name="two.gemma.toml")
    lines = refused(pytester, "--gemma-suite", "one.gemma.toml", "--gemma-suite", "two.gemma.toml")
    assert {line.partition(":")[0] for line in lines} == {"one.gemma.toml", "two.gemma.toml"}
    assert len(lines) >= 4
    assert all(line.split(":")[1].isdigit() for line in lines)


def test_a_bad_suite_given_as_a_file_is_refused_alike(pytester: pytest.Pytester) -> None:
    """`pytest bad.gemma.toml` is checked before anything starts."""
    write_project(pytester.path, "[suite")
    assert refused(pytester, "cities.gemma.toml")


def test_a_bad_suite_that_was_found_is_a_collection_error(pytester: pytest.Pytester) -> None:
    """Found by its name, it is reported as pytest reports such a file, and the exit code is the same."""
    write_project(pytester.path, head() + '[[case]]\nid = "a"\npromt = "?"\n')
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["*ERROR collecting cities.gemma.toml*", "cities.gemma.toml:*promt*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert not (pytester.path / "reports").exists()


def test_a_test_that_fails_keeps_its_exit_code(pytester: pytest.Pytester) -> None:
    """Only when nothing else failed is it a usage error."""
    write_project(pytester.path, "[suite")
    pytester.makepyfile(test_bad="raise RuntimeError('of another kind')")
    assert pytester.runpytest_inprocess().ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize("axis", ["model", "profile", "template"])
def test_a_glob_that_fits_nothing_is_refused_with_the_names(pytester: pytest.Pytester, axis: str) -> None:
    """The names that the suite has are listed."""
    write_project(pytester.path)
    name = {"model": "echo", "profile": "greedy", "template": "plain"}[axis]
    (line,) = refused(pytester, "--gemma-suite", "cities.gemma.toml", f"--gemma-{axis}", "zzz*")
    assert line == f'--gemma-{axis} "zzz*": the suite has no such {axis}; known: {name}'


def test_a_glob_is_checked_for_suites_that_are_found_too(pytester: pytest.Pytester) -> None:
    """Without `--gemma-suite` the check waits until the suites are collected."""
    write_project(pytester.path)
    assert refused(pytester, "--gemma-model", "zzz*")


def test_a_choice_that_leaves_nothing_is_refused(pytester: pytest.Pytester) -> None:
    """Each option fits something, together they fit nothing."""
    write_project(pytester.path, head() + CITIES.partition('[[case]]\nid = "fast"')[0])
    assert refused(pytester, "--gemma-suite", "cities.gemma.toml", "--gemma-kind", "benchmark")


def test_repeats_must_be_at_least_one(pytester: pytest.Pytester) -> None:
    """0 generations would measure nothing."""
    write_project(pytester.path)
    assert refused(pytester, "--gemma-suite", "cities.gemma.toml", "--gemma-repeats", "0")


def test_two_suites_with_one_id_are_refused(pytester: pytest.Pytester) -> None:
    """Two suites from elsewhere of one name could not be told apart."""
    first = write_project(pytester.path / "one")
    second = write_project(pytester.path / "two")
    (pytester.path / "project").mkdir()
    (pytester.path / "project" / "pytest.ini").write_text("[pytest]\n")
    fixed = ["--rootdir", "project", "-c", "project/pytest.ini"]
    (line,) = refused(pytester, *fixed, "--gemma-suite", str(first), "--gemma-suite", str(second))
    assert "both called @cities" in line


def test_two_suites_of_one_name_are_refused(pytester: pytest.Pytester) -> None:
    """Their cases would be taken for each other in the results."""
    write_project(pytester.path / "one")
    write_project(pytester.path / "two")
    (line,) = refused(pytester)
    assert line.endswith('are both named "cities"; rename one of them')


def test_an_unknown_backend_is_refused(pytester: pytest.Pytester) -> None:
    """A model whose backend nothing registers is a mistake in models.toml."""
    write_project(pytester.path)
    models = pytester.path / "models.toml"
    models.write_text(models.read_text().replace('backend = "scripted"', 'backend = "skripted"'))
    (line,) = refused(pytester, "--gemma-suite", "cities.gemma.toml")
    assert 'no backend (of model "echo") named "skripted"; did you mean "scripted"?' in line


def test_a_suite_whose_only_model_does_not_load_is_refused(pytester: pytest.Pytester) -> None:
    """The engine is loaded before the database is made."""
    write_project(pytester.path, head(models=("broken",)) + CITIES)
    (line,) = refused(pytester, "--gemma-suite", "cities.gemma.toml")
    assert "no-such-folder: no such folder or file" in line


def test_a_prompt_that_is_too_long_ends_as_a_usage_error(pytester: pytest.Pytester) -> None:
    """The case fails in one line, the rest is measured, and the exit code says that input needs mending."""
    long = a_case("long", prompt="a b c d e f g h i j k", keys="max_tokens = 2")
    short = a_case("short", keys="max_tokens = 2")
    write_project(pytester.path, head(models=("small",)) + long + short)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["prompt and answer need 13 tokens, the context of the model holds 8; *"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_folder_that_cannot_take_reports_is_refused_first(pytester: pytest.Pytester) -> None:
    """A file stands where the folder should be."""
    write_project(pytester.path)
    (pytester.path / "taken").write_text("")
    (line,) = refused(pytester, "--gemma-report", "taken")
    assert line == "taken: the reports cannot be written there: taken is a file; give a folder"
    assert not (pytester.path / "reports").exists()


def test_a_run_that_is_refused_leaves_no_folder_for_its_reports(pytester: pytest.Pytester) -> None:
    """The database is a text file: nothing is made beside it."""
    write_project(pytester.path)
    (pytester.path / "notes.txt").write_text("hello, this is no database\n")
    (line,) = refused(pytester, "--gemma-db", "notes.txt")
    assert line == "notes.txt: this is not a results database; give another path"
    assert not (pytester.path / "reports").exists()


def test_a_file_that_is_no_database_is_refused_and_left_alone(pytester: pytest.Pytester) -> None:
    """Somebody's text file is not overwritten."""
    write_project(pytester.path)
    (pytester.path / "notes.txt").write_text("important\n" * 100)
    result = pytester.runpytest_inprocess("--gemma-db", "notes.txt")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (pytester.path / "notes.txt").read_text() == "important\n" * 100


def test_a_database_of_a_newer_version_is_refused(pytester: pytest.Pytester) -> None:
    """It is left as it is."""
    write_project(pytester.path)
    pytester.runpytest_inprocess("--gemma-db", "results.db")
    connection = sqlite3.connect(pytester.path / "results.db")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    result = pytester.runpytest_inprocess("--gemma-db", "results.db")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any("newer" in line for line in result.errlines)


def test_an_unknown_run_cannot_be_resumed(pytester: pytest.Pytester) -> None:
    """Neither without a database nor with one that does not have it."""
    write_project(pytester.path)
    assert refused(pytester, "--gemma-resume", "latest")
    pytester.runpytest_inprocess()
    result = pytester.runpytest_inprocess("--gemma-resume", "20200101-000000-beef")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any('no run named "20200101-000000-beef"' in line for line in result.errlines)


def test_resuming_without_the_suite_says_what_to_give(pytester: pytest.Pytester) -> None:
    """The arguments of the run are needed again."""
    path = write_project(pytester.path)
    pytester.runpytest_inprocess()
    path.unlink()
    pytester.makepyfile("def test_plain(): pass")
    result = pytester.runpytest_inprocess("--gemma-resume", "latest")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any("--gemma-suite NAME" in line for line in result.errlines)


def test_what_is_wrong_with_a_models_options_is_said_before_anything_is_stored(
    pytester: pytest.Pytester,
) -> None:
    """All of it at once; a password in an address must not get into a database by being refused."""
    write_project(pytester.path, head(models=("echo", "early", "secret")) + CITIES)
    models = pytester.path / "models.toml"
    models.write_text(
        models.read_text()
        + '[model.early]\nbackend = "scripted"\nlocation = "-"\noptions = { ttft_ms = -1 }\n'
        + '[model.secret]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:9/v1?key=hunter2"\n'
    )
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.errlines if line.strip()]
    written = models.read_text().splitlines()
    early, secret = (written.index(f"[model.{name}]") + 1 for name in ("early", "secret"))
    assert len(lines) == 2
    assert lines[0].startswith(f"ERROR: models.toml:{early + 3}: model early: ttft_ms = -1;")
    said = "model secret: location has a user, a password or parameters in it"
    assert lines[1].startswith(f"ERROR: models.toml:{secret + 2}: {said}")
    assert not (pytester.path / "reports").exists()
    assert "hunter2" not in str(result.stdout) + str(result.stderr)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('tokenizr = "@pocket"', 'no option of the model http (backend openai_http) named "tokenizr"*'),
        ("retries = 300", "model http: retries = 300; *"),
    ],
)
def test_a_wrong_option_is_told_at_its_line_whatever_the_others_are_called(
    pytester: pytest.Pytester, wrong: str, said: str
) -> None:
    """A sentence about it may have the word *model* in it, or the name of another option."""
    write_project(pytester.path, head(models=("http",)) + CITIES)
    models = pytester.path / "models.toml"
    served = '[model.http]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:9/v1"\n'
    models.write_text(f'{models.read_text()}{served}[model.http.options]\nmodel = "gemma"\n{wrong}\n')
    (line,) = refused(pytester, "--gemma-suite", "cities.gemma.toml")
    assert fnmatch(line, f"models.toml:{models.read_text().splitlines().index(wrong) + 1}: {said}")


def test_repeats_of_the_command_line_must_be_enough_for_a_load(pytester: pytest.Pytester) -> None:
    """As those of the suite must."""
    load = "load = { concurrency = 1, warmup = 2, cooldown = 2 }\n"
    case = f'[[case]]\nid = "story"\nkind = "benchmark"\nprompt = "?"\nrepeats = 8\n{load}'
    write_project(pytester.path, head() + case)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "--gemma-repeats", "4")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ['ERROR: --gemma-repeats 4: case "story": load.warmup + load.cooldown = 4 leaves none*']
    )
