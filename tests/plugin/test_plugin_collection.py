"""Suites are collected as tests are: by name, with ids that every option of pytest understands."""

from __future__ import annotations

import pytest

from tests.plugin.project import CITIES, NEVER, head, latest, write_project

ALL = [
    "cities.gemma.toml::home[echo/greedy/plain]",
    "cities.gemma.toml::visit[echo/greedy/plain]",
    "cities.gemma.toml::fast[echo/greedy/plain]",
]


def collected(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Return the ids that a run would have."""
    lines = pytester.runpytest_inprocess("--co", "-q", *arguments).outlines
    return [line for line in lines if "::" in line]


def test_a_suite_file_is_found_by_its_name(pytester: pytest.Pytester) -> None:
    """`*.gemma.toml` below the collected folder is a suite, with a node id per cell."""
    write_project(pytester.path)
    assert collected(pytester) == ALL


def test_other_toml_files_are_not_opened(pytester: pytest.Pytester) -> None:
    """A TOML file of another name is no suite, even when it could not be read."""
    write_project(pytester.path)
    (pytester.path / "config.toml").write_text("this is [not TOML")
    assert collected(pytester) == ALL


def test_the_ini_value_gemma_files_says_what_a_suite_is_called(pytester: pytest.Pytester) -> None:
    """The globs of `gemma_files` take the place of the default one."""
    write_project(pytester.path)
    write_project(pytester.path, name="eval_towns.toml")
    pytester.makeini("[pytest]\ngemma_files = eval_*.toml")
    assert {line.partition("::")[0] for line in collected(pytester)} == {"eval_towns.toml"}


def test_a_suite_asked_for_runs_alone(pytester: pytest.Pytester) -> None:
    """`--gemma-suite` takes the place of testpaths and of the current folder."""
    write_project(pytester.path)
    write_project(pytester.path, name="other.gemma.toml")
    pytester.makepyfile("def test_plain(): pass")
    assert collected(pytester, "--gemma-suite", "cities.gemma.toml") == ALL


def test_a_suite_is_found_by_a_roundabout_path(pytester: pytest.Pytester) -> None:
    """`..` in a path is understood, and the id does not show it."""
    write_project(pytester.path)
    pytester.mkdir("inner")
    assert collected(pytester, "--gemma-suite", "inner/../cities.gemma.toml") == ALL


def test_a_suite_asked_for_twice_is_collected_once(pytester: pytest.Pytester) -> None:
    """Options in the ini file and on the command line may say the same."""
    write_project(pytester.path)
    twice = ["--gemma-suite", "cities.gemma.toml"] * 2
    assert collected(pytester, *twice) == ALL


def test_a_shipped_suite_has_a_virtual_id(pytester: pytest.Pytester) -> None:
    """The suites that ship are `@name` wherever they are installed, and nothing else is collected."""
    pytester.makepyfile("def test_plain(): pass")
    ids = collected(pytester, "--gemma-suite", "smoke")
    assert ids
    assert all(line.startswith("@smoke::") for line in ids)


def test_a_suite_outside_of_the_project_has_a_virtual_id(pytester: pytest.Pytester) -> None:
    """A suite of another folder is `@name`; the conftest.py of that folder is not run."""
    elsewhere = pytester.path / "elsewhere"
    write_project(elsewhere)
    (elsewhere / "conftest.py").write_text("raise RuntimeError('not ours')")
    inner = pytester.mkdir("inner")
    (inner / "pytest.ini").write_text("[pytest]\n")
    pytester.chdir()
    result = pytester.runpytest_inprocess(
        "--rootdir", str(inner), "-c", str(inner / "pytest.ini"), "--co", "-q",
        "--gemma-suite", str(elsewhere / "cities.gemma.toml"),
    )  # fmt: skip
    ids = [line for line in result.outlines if "::" in line]
    assert ids == [line.replace("cities.gemma.toml", "@cities") for line in ALL]


def test_the_id_of_an_item_can_be_given_back(pytester: pytest.Pytester) -> None:
    """`--gemma-suite` understands `@suite::case[…]` as pytest prints it, and `suite::case` for all of a case.

    With an equals sign: a word that begins with @ is for argparse the name of a file of arguments.
    """
    ids = collected(pytester, "--gemma-suite", "smoke")
    assert collected(pytester, f"--gemma-suite={ids[0]}") == ids[:1]
    case = ids[0].removeprefix("@").partition("[")[0]
    assert collected(pytester, "--gemma-suite", case) == [
        line for line in ids if line.startswith(f"@{case}[")
    ]


def test_a_case_of_a_file_is_selected_as_a_test_is(pytester: pytest.Pytester) -> None:
    """`file::case` selects all cells of a case, `file::case[…]` one."""
    write_project(pytester.path, head(profiles=("greedy", "hot")) + CITIES)
    assert len(collected(pytester, "cities.gemma.toml::home")) == 2
    assert collected(pytester, ALL[0]) == ALL[:1]


@pytest.mark.parametrize(
    ("expression", "left"),
    [("home", 1), ("echo and not home", 2), ("context", 1), ("plain", 3), ("hot", 0)],
)
def test_k_selects_by_case_model_profile_template_and_tag(
    pytester: pytest.Pytester, expression: str, left: int
) -> None:
    """The names that make up a cell and the tags of its case are keywords."""
    write_project(pytester.path)
    assert len(collected(pytester, "-k", expression)) == left


@pytest.mark.parametrize(("expression", "left"), [("gemma", 3), ("gemma_benchmark", 1), ("gemma_quality", 2)])
def test_m_selects_by_kind(pytester: pytest.Pytester, expression: str, left: int) -> None:
    """The markers are registered, so that --strict-markers has nothing to say."""
    write_project(pytester.path)
    assert len(collected(pytester, "--strict-markers", "-m", expression)) == left


def test_the_options_narrow_the_matrix(pytester: pytest.Pytester) -> None:
    """Models, profiles and templates are chosen by glob, kinds by name, repeats by number."""
    suite = head(models=("echo", "other"), profiles=("greedy", "hot"), templates=("plain", "rag")) + CITIES
    write_project(pytester.path, suite)
    narrowed = collected(
        pytester,
        "--gemma-model",
        "o*",
        "--gemma-profile",
        "hot",
        "--gemma-template",
        "p*",
        "--gemma-kind",
        "quality",
    )
    assert narrowed == [
        "cities.gemma.toml::home[other/hot/plain]",
        "cities.gemma.toml::visit[other/hot/plain]",
    ]


def test_the_items_of_a_model_stand_together(pytester: pytest.Pytester) -> None:
    """A model is loaded once, whatever the order of the cases."""
    write_project(pytester.path, head(models=("echo", "other")) + CITIES)
    models = [line.partition("[")[2].partition("/")[0] for line in collected(pytester)]
    assert models == ["echo"] * 3 + ["other"] * 3


def test_only_the_failed_cells_run_again(pytester: pytest.Pytester) -> None:
    """`--lf` finds an item whose name has brackets, with a path and with a virtual id."""
    write_project(pytester.path, head() + CITIES + NEVER)
    pytester.runpytest_inprocess().assert_outcomes(passed=3, failed=1)
    assert collected(pytester, "--lf") == ["cities.gemma.toml::never[echo/greedy/plain]"]


def test_only_the_failed_cells_of_a_suite_from_elsewhere_run_again(pytester: pytest.Pytester) -> None:
    """`--lf` works with virtual ids, too."""
    elsewhere = pytester.path / "elsewhere"
    path = write_project(elsewhere, head() + CITIES + NEVER)
    inner = pytester.mkdir("inner")
    (inner / "pytest.ini").write_text("[pytest]\n")
    fixed = ["--rootdir", str(inner), "-c", str(inner / "pytest.ini"), "--gemma-suite", str(path)]
    pytester.runpytest_inprocess(*fixed).assert_outcomes(passed=3, failed=1)
    assert collected(pytester, *fixed, "--lf") == ["@cities::never[echo/greedy/plain]"]


def test_suites_and_tests_run_side_by_side(pytester: pytest.Pytester) -> None:
    """A folder may hold both, and both may be named."""
    write_project(pytester.path)
    pytester.makepyfile("def test_plain(): pass")
    pytester.runpytest_inprocess().assert_outcomes(passed=4)


def test_a_suite_is_found_by_name_in_the_folders_of_the_ini_file(pytester: pytest.Pytester) -> None:
    """`gemma_suite_paths` makes `--gemma-suite cities` mean a suite of the project."""
    write_project(pytester.path / "evals")
    pytester.makeini("[pytest]\ngemma_suite_paths = evals")
    ids = collected(pytester, "--gemma-suite", "cities")
    assert ids == [f"evals/{line}" for line in ALL]


def test_a_misspelt_suite_of_the_project_is_suggested(pytester: pytest.Pytester) -> None:
    """As one that ships is; the file of the models beside it is no suite."""
    write_project(pytester.path / "evals")
    pytester.makeini("[pytest]\ngemma_suite_paths = evals")
    result = pytester.runpytest_inprocess("--gemma-suite", "citees")
    expected = 'ERROR: --gemma-suite citees: no suite named "citees"; did you mean "cities"?'
    assert expected in result.stderr.lines
    result = pytester.runpytest_inprocess("--gemma-suite", "xyz")
    result.stderr.fnmatch_lines(["*; known: *, citations, cities, *, smoke, standard"])
    assert "models" not in str(result.stderr)


def test_a_model_that_the_suite_does_not_name_runs_every_case_of_it(pytester: pytest.Pytester) -> None:
    """Any suite measures any model that a file of models knows, without an edit."""
    write_project(pytester.path, head(models=("echo",)) + CITIES)
    result = pytester.runpytest_inprocess("--gemma-suite", "cities.gemma.toml", "--gemma-model", "other")
    result.assert_outcomes(passed=3)
    assert {outcome.trial.cell.model.name for outcome in latest(pytester.path)} == {"other"}
