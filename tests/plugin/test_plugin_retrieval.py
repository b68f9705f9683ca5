"""Retrievals on the command line: ids, globs, keywords, a base of another name, and what comes of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval.cli.compare import compare
from gemma_eval.cli.steps import steps
from tests.plugin.project import latest, results, write_project

pytest_plugins = ("pytester",)

SUITE = """\
[suite]
description = "who lives where"
[defaults]
models = ["echo"]
profiles = ["greedy"]
templates = ["plain", "rag"]
retrievals = ["none", "bm25", "oracle"]
[[case]]
id = "home"
prompt = "Where does Finn live?"
documents = [{ name = "people", text = "- Finn lives in Oslo.\\n- Ada lives in Rome.\\n" }]
relevant = [{ text = "Finn lives in Oslo" }]
checks = [{ scorer = "contains", text = "Oslo" }, { scorer = "context_recall", weight = 0 }]
[[case]]
id = "find"
kind = "retrieval"
prompt = "Where does Ada live?"
retrievals = ["bm25"]
documents = [{ name = "people", text = "- Finn lives in Oslo.\\n- Ada lives in Rome.\\n" }]
relevant = [{ text = "Ada lives in Rome" }]
checks = [{ scorer = "recall", k = 1, pass_at = 1 }]
[[gate]]
id = "found"
metric = "score"
limit = 0.0
where = { retrieval = "bm25" }
"""


def collected(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Return the node ids that are collected."""
    outcome = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
    return [line for line in outcome.outlines if "::" in line]


def test_an_id_has_a_fourth_part_where_the_retrieval_has_a_name(pytester: pytest.Pytester) -> None:
    """A template that shows no passages has one retrieval, and what asks for passages alone has no model."""
    write_project(pytester.path, SUITE)
    assert [line.partition("::")[2] for line in collected(pytester)] == [
        "home[echo/greedy/plain/none]",
        "home[echo/greedy/rag/none]",
        "home[echo/greedy/rag/bm25]",
        "home[echo/greedy/rag/oracle]",
        "find[-/-/-/bm25]",
    ]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (("--gemma-retrieval", "bm*"), ["home[echo/greedy/rag/bm25]", "find[-/-/-/bm25]"]),
        (("-k", "oracle"), ["home[echo/greedy/rag/oracle]"]),
        (("--gemma-kind", "retrieval"), ["find[-/-/-/bm25]"]),
        (("-m", "gemma_retrieval", "--strict-markers"), ["find[-/-/-/bm25]"]),
    ],
)
def test_retrievals_narrow_the_matrix(
    pytester: pytest.Pytester, options: tuple[str, ...], left: list[str]
) -> None:
    """By glob, by keyword, by kind and by marker."""
    write_project(pytester.path, SUITE)
    assert [line.partition("::")[2] for line in collected(pytester, *options)] == left


def test_a_retrieval_that_there_is_not_is_named_with_the_like(pytester: pytest.Pytester) -> None:
    """Before anything runs."""
    write_project(pytester.path, SUITE)
    refused = pytester.runpytest_inprocess("--gemma-retrieval", "bm52")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    text = '*--gemma-retrieval "bm52": the suite has no such retrieval; did you mean "bm25"?*'
    refused.stderr.fnmatch_lines([text])


def test_a_run_shows_compares_gates_and_profiles_its_retrievals(pytester: pytest.Pytester) -> None:
    """From the suite to the database, the page, the comparison and the waterfall."""
    write_project(pytester.path, SUITE)
    ended = pytester.runpytest_inprocess()
    ended.stdout.fnmatch_lines(["*passages alone*"])
    outcomes = latest(pytester.path)
    assert [each.trial.cell.retrieval.name for each in outcomes] == ["none", "none", "bm25", "oracle", "bm25"]
    with results(pytester.path) as reader:
        run = reader.run("latest")
        gating = reader.gating(run.id)
    assert gating is not None
    assert {each.id for each in gating.gated} == {"found[echo/greedy/rag/bm25]", "found[-/-/-/bm25]"}
    page = Path(pytester.path, "reports", run.id, "report.html").read_text(encoding="utf-8")
    assert '<section id="retrieval"' in page
    database = ("--db", str(pytester.path / "reports" / "gemma_eval.db"))
    printed = CliRunner().invoke(compare, ["retrieval:bm25", "retrieval:oracle", *database])
    assert "retrieval bm25 → oracle" in printed.output
    printed = CliRunner().invoke(steps, ["latest", "--retrieval", "bm25", *database])
    assert "bottleneck: " in printed.output


def test_another_retrieval_may_be_the_base_of_a_comparison_in_turn(pytester: pytest.Pytester) -> None:
    """Its name is looked up, and what the suite does not run with it is refused before anything runs."""
    write_project(pytester.path, SUITE)
    suite = ("--gemma-suite", "cities.gemma.toml")
    ask = (*suite, "--gemma-template", "rag", "--gemma-retrieval", "oracle", "--gemma-ab")
    refused = pytester.runpytest_inprocess(*ask, "orcale")
    refused.stderr.fnmatch_lines(
        ['*no model, profile, template or retrieval named "orcale"; did you mean "oracle"*']
    )
    several = pytester.runpytest_inprocess(*suite, "--gemma-template", "rag", "--gemma-ab", "retrieval:none")
    several.stderr.fnmatch_lines(["*the candidate has 3 retrievals*choose one with --gemma-retrieval*"])
    alone = pytester.runpytest_inprocess(*suite, "--gemma-ab", "model:other")
    alone.stderr.fnmatch_lines(["*passages alone have no model; leave them out with --gemma-model *"])
